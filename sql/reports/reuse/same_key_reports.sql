-- same_key_reports(report_id, country_id, simulation_1_id, simulation_2_id, year, api_version): the other reports with
-- this key and version, by id. A rerun gives a report the current version, so it may get the key of a newer report;
-- the application then shows the report with the highest id.
create or replace function pgreprise.same_key_reports(
  report_id bigint, country_id text, simulation_1_id bigint, simulation_2_id bigint, year text, api_version text
)
returns bigint[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The rows are found by their key, so one plan is right for all values; callers for many reports plan each statement.
set plan_cache_mode = 'force_generic_plan'
as $$
begin
  if same_key_reports.simulation_2_id is null then
    return array(
      select report.id::bigint
        from public.report_outputs as report
       where report.country_id = same_key_reports.country_id
         and report.simulation_1_id = same_key_reports.simulation_1_id
         and report.simulation_2_id is null
         and report.year = same_key_reports.year
         and report.api_version = same_key_reports.api_version
         and report.id <> same_key_reports.report_id
       order by report.id
    );
  end if;

  return array(
    select report.id::bigint
      from public.report_outputs as report
     where report.country_id = same_key_reports.country_id
       and report.simulation_1_id = same_key_reports.simulation_1_id
       and report.simulation_2_id = same_key_reports.simulation_2_id
       and report.year = same_key_reports.year
       and report.api_version = same_key_reports.api_version
       and report.id <> same_key_reports.report_id
     order by report.id
  );
end;
$$;

comment on function pgreprise.same_key_reports(bigint, text, bigint, bigint, text, text) is
'The other reports with a key and a version.';
