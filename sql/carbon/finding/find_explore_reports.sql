-- find_explore_reports(after_report_id, max_rows, as_of): the explore reports of the units that the caller may view, by
-- id, with their age and the last failure of a refresh. At most max_rows of them; the next page begins after the id of
-- the last one. Changes nothing, and refreshes none.
-- Returns id, unit_id, institutional_id, unit_name, carbon_project_id, reference_year, last_updated, age (at the time
-- as_of; null where nobody recorded when it changed), is_stale; failures, first_failed_at, last_failed_at and
-- failure_message, null where the last refresh did not fail.
-- Raises RR016 when max_rows is not between 1 and 1000, RR017.
create or replace function public.find_explore_reports(
  after_report_id bigint default null, max_rows bigint default 100, as_of timestamptz default now()
)
returns table (
  id bigint, unit_id bigint, institutional_id text, unit_name text, carbon_project_id bigint, reference_year bigint,
  last_updated timestamptz, age interval, is_stale boolean, failures integer, first_failed_at timestamptz,
  last_failed_at timestamptz, failure_message text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Which conditions are given differs from call to call, and so does the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  unit_ids bigint[];
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.check_max_rows(find_explore_reports.max_rows);
  unit_ids := pgreprise.viewable_unit_ids();

  return query
    with page as materialized (
      select report.id::bigint as report_id
        from public.carbon_projects as project
        join public.carbon_reports as report on report.carbon_project_id = project.id
       where project.carbon_report_type = 'Simulator_Explore'
         and (unit_ids is null or report.unit_id = any (unit_ids))
         and (find_explore_reports.after_report_id is null or report.id > find_explore_reports.after_report_id)
       order by report.id
       limit find_explore_reports.max_rows
    )

    select report.id::bigint, report.unit_id::bigint, unit.institutional_id::text, unit.name::text,
        report.carbon_project_id::bigint, report.year::bigint, told.last_updated,
        case when isfinite(find_explore_reports.as_of) then find_explore_reports.as_of - told.last_updated end,
        pgreprise.explore_report_is_stale(report.last_updated, find_explore_reports.as_of), failed.failures,
        failed.first_failed_at, failed.last_failed_at, failed.message
      from public.carbon_reports as report
     cross join lateral (select pgreprise.epoch_time(report.last_updated) as last_updated) as told
      left join public.units as unit on unit.id = report.unit_id
      left join pgreprise.failed_refresh as failed on failed.report_id = report.id
     -- An array, so that they are read by their key.
     where report.id = any (array(select page.report_id from page))
     order by report.id;
end;
$$;

comment on function public.find_explore_reports(bigint, bigint, timestamptz) is
'The explore reports of the units that the caller may view, by id, with their age and the last failed refresh.';

grant execute on function public.find_explore_reports(bigint, bigint, timestamptz) to pgreprise_api, pgreprise_dba;
