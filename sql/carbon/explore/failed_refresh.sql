-- failed_refresh: explore reports whose refresh failed, with the last failure. A refresh that succeeds deletes the row.
create table pgreprise.failed_refresh (
  report_id bigint not null,
  failures integer not null,
  first_failed_at timestamptz not null,
  last_failed_at timestamptz not null,
  message text not null,
  constraint failed_refresh_pkey primary key (report_id)
);

comment on table pgreprise.failed_refresh is 'Explore reports whose refresh failed, with the last failure.';

grant select, insert, update, delete on table pgreprise.failed_refresh to pgreprise_owner;
