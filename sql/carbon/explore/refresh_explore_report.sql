-- refresh_explore_report(unit_id, old_report_id, reference_year, as_of): replace a stale explore report by a fresh one.
-- The stale report is deleted with its modules and entries, and another is created, in one transaction.
-- Nothing changes unless the old id is that unit's Simulator_Explore report of that year and is still stale (see
-- explore_report_is_stale) after its entries, its modules and its own row are locked, in this order. So when many
-- callers ask at the same time, one of them refreshes; the others find that the old report is gone or is used again.
-- The scope reports:read is enough, because reading a stale report causes the refresh.
-- Returns the fresh report, or no row when nothing changed. Raises RR017, RC001, RC002, RC017, and RC018 when rows
-- of other tables would be lost.
create or replace function public.refresh_explore_report(
  unit_id bigint, old_report_id bigint, reference_year bigint, as_of timestamptz default now()
)
returns setof pgreprise.carbon_report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  project_id   bigint;
  last_updated bigint;
  entry_ids    bigint[];
  module_ids   bigint[];
  deleted      bigint;
begin
  perform pgreprise.enter('reports:read');
  perform public.require_unit_access(refresh_explore_report.unit_id);

  -- A report that is in use, or is another one, is not locked at all.
  select report.carbon_project_id into project_id
    from public.carbon_reports as report
    join public.carbon_projects as project on project.id = report.carbon_project_id
   where report.id = refresh_explore_report.old_report_id
     and report.year = refresh_explore_report.reference_year
     and project.unit_id = refresh_explore_report.unit_id
     and project.carbon_report_type = 'Simulator_Explore'
     and pgreprise.explore_report_is_stale(report.last_updated, refresh_explore_report.as_of);
  if not found then
    return;
  end if;

  entry_ids := array(
    select entry.id::bigint
      from public.carbon_report_modules as module
      join public.data_entries as entry on entry.carbon_report_module_id = module.id
     where module.carbon_report_id = refresh_explore_report.old_report_id
     order by entry.id
  );
  perform pgreprise.lock_data_entries(entry_ids, are_deleted => true);
  module_ids := array(
    select module.id::bigint
      from public.carbon_report_modules as module
     where module.carbon_report_id = refresh_explore_report.old_report_id
     order by module.id
  );
  perform pgreprise.lock_rows('carbon_report_modules', module_ids, are_deleted => true);
  perform pgreprise.lock_rows('carbon_reports', array[refresh_explore_report.old_report_id],
    are_deleted => true);
  select report.last_updated into last_updated
    from public.carbon_reports as report
   where report.id = refresh_explore_report.old_report_id and report.carbon_project_id = project_id;

  if not found or not pgreprise.explore_report_is_stale(last_updated, refresh_explore_report.as_of)
    -- Somebody has put in or taken out an entry since.
    or entry_ids <> array(
      select entry.id::bigint
        from public.data_entries as entry
       where entry.carbon_report_module_id = any (module_ids)
       order by entry.id
    )
  then
    return;
  end if;

  perform pgreprise.delete_data_entries(entry_ids);
  perform pgreprise.refuse_lost_rows('carbon_report_modules', module_ids);
  delete from public.carbon_report_modules as module where module.id = any (module_ids);
  get diagnostics deleted = row_count;
  perform pgreprise.require_all_written('carbon_report_modules', cardinality(module_ids), deleted);
  perform pgreprise.refuse_lost_rows('carbon_reports', array[refresh_explore_report.old_report_id]);
  delete from public.carbon_reports as report where report.id = refresh_explore_report.old_report_id;
  perform pgreprise.require_all_written('carbon_reports', 1, found::int);
  delete from pgreprise.failed_refresh as failed where failed.report_id = refresh_explore_report.old_report_id;

  return query
    select created.*
      from pgreprise.insert_carbon_reports(array[refresh_explore_report.unit_id],
        array[project_id], array[refresh_explore_report.reference_year],
        array[null::bigint], refresh_explore_report.as_of) as created;
end;
$$;

comment on function public.refresh_explore_report(bigint, bigint, bigint, timestamptz) is
'Replaces a stale explore report by a fresh one; changes nothing when it is not stale.';

grant execute on function public.refresh_explore_report(bigint, bigint, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
