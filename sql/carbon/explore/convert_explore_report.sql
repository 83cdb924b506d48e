-- convert_explore_report(report_id, as_of): make a plan of an explore report: it moves to the unit's Simulator_Plan
-- project, which is created when there is none. Its id, its year, its modules and its entries stay, and it is never
-- stale again. A new explore report of that year can be created afterwards. Of a plan only validated modules count
-- (counts_validated_only).
-- Raises RR017, RC003, RC002, RC004 when the unit has a plan of that year, RC008 for a report of another type, RC017.
create or replace function public.convert_explore_report(report_id bigint, as_of timestamptz default now())
returns setof pgreprise.carbon_report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target  record;
  plan_id bigint;
begin
  perform pgreprise.enter('reports:write');
  perform pgreprise.require_carbon_report(convert_explore_report.report_id, 'edit');

  -- A refresh or another conversion may hold it: then this waits, and looks at what that one left. The project is part
  -- of a key, so the lock is that of a deletion.
  perform pgreprise.lock_rows('carbon_reports', array[convert_explore_report.report_id], are_deleted => true);
  select report.unit_id::bigint as unit_id, report.year::bigint as year, report.carbon_project_id into target
    from public.carbon_reports as report
   where report.id = convert_explore_report.report_id;
  if not found then
    perform pgreprise.raise_carbon_not_found(jsonb_build_object('carbon_report_id', convert_explore_report.report_id));
  end if;
  perform from public.carbon_projects as project
    where project.id = target.carbon_project_id and project.carbon_report_type = 'Simulator_Explore';
  if not found then
    perform pgreprise.raise_invalid_carbon_value(
      format('Carbon report #%s is not an explore report.', convert_explore_report.report_id),
      jsonb_build_object('carbon_report_id', convert_explore_report.report_id),
      'Only an explore report can be made a plan.');
  end if;

  select ensured.carbon_project_id into plan_id
    from pgreprise.ensure_carbon_projects(array[target.unit_id], 'Simulator_Plan') as ensured;
  begin
    update public.carbon_reports as report
       set carbon_project_id = plan_id, last_updated = pgreprise.epoch_seconds(convert_explore_report.as_of)
     where report.id = convert_explore_report.report_id;
    perform pgreprise.require_all_written('carbon_reports', 1, found::int);
  exception
    when unique_violation then
      perform pgreprise.raise_carbon_exists(target.unit_id, 'Simulator_Plan', plan_id, target.year);
  end;
  delete from pgreprise.failed_refresh as failed where failed.report_id = convert_explore_report.report_id;

  return query
    select stored.* from pgreprise.stored_carbon_reports(array[convert_explore_report.report_id]) as stored;
end;
$$;

comment on function public.convert_explore_report(bigint, timestamptz) is
'Makes a plan of an explore report, with its modules and entries; refuses when there is a plan of that year (RC004).';

grant execute on function public.convert_explore_report(bigint, timestamptz) to pgreprise_api, pgreprise_dba;
