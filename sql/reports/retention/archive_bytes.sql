-- archive_bytes(): the size of the archive's tables on disk, in bytes, with their indexes and large values.
create or replace function pgreprise.archive_bytes()
returns bigint
language sql
stable
begin atomic
  select pg_total_relation_size('pgreprise.report_run'::regclass)
    + pg_total_relation_size('pgreprise.simulation_run'::regclass)
    + pg_total_relation_size('pgreprise.reform_impact_archive'::regclass) as archive_bytes;
end;

comment on function pgreprise.archive_bytes() is 'The size of the archive on disk, in bytes.';
