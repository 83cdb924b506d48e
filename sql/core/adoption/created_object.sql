-- created_object: the tables, types, columns and constraints of schema public that pgreprise created, by domain.
-- A downgrade drops these and keeps what it found. Written by record_created, read by drop_created.
create table pgreprise.created_object (
  domain text not null,
  name text not null,
  constraint created_object_pkey primary key (domain, name)
);

comment on table pgreprise.created_object is
'What pgreprise created in schema public, so that a downgrade never drops what it found.';
comment on column pgreprise.created_object.domain is 'reports or carbon';
comment on column pgreprise.created_object.name is 'a table, type or constraint, or table.column';
