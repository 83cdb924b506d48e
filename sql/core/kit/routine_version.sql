-- routine_version: the version of each routine that is installed in this database.
-- Written by the operations create_routine, replace_routine and drop_routine, read by
-- pgreprise.status() and by `pgreprise doctor`. One row a routine.
create table pgreprise.routine_version (
  name text not null,
  routine text not null,
  version integer not null,
  checksum text not null,
  installed_by text not null default session_user,
  installed_at timestamptz not null default now(),
  constraint routine_version_pkey primary key (name)
);

comment on table pgreprise.routine_version is
'The version of each pgreprise routine that is installed here, with the SHA-256 of its file.';
comment on column pgreprise.routine_version.name is 'domain/name, as in sql/<domain>/<room>/<name>.sql';
comment on column pgreprise.routine_version.routine is 'schema.name of the routine in this database';

grant select on table pgreprise.routine_version to pgreprise_owner;
