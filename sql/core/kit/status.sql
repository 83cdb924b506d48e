-- status(): what is installed in this database: the migration revisions and the version of each
-- routine, as {"revisions": [...], "routines": {"reports/rerun_report": 1, ...}}.
-- Readiness compares it with what the running application needs.
create or replace function pgreprise.status()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_build_object(
    'revisions', (
      select coalesce(jsonb_agg(installed.version_num order by installed.version_num), '[]')
        from pgreprise.alembic_version as installed
    ),
    'routines', (
      select coalesce(jsonb_object_agg(registered.name, registered.version), '{}')
        from pgreprise.routine_version as registered
    )
  );
end;
$$;

comment on function pgreprise.status() is 'The migration revisions and routine versions that are installed here.';

grant execute on function pgreprise.status()
to pgreprise_reader, pgreprise_api, pgreprise_dba, pgreprise_monitor, pgreprise_worker;
