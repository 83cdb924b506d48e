-- newest_report(country_id, simulation_1_id, simulation_2_id, year, api_version): the id of the newest report with
-- these values, or null. A null simulation_2_id means a report with one simulation.
-- It is volatile on purpose: each call sees what other transactions have committed until then.
create or replace function pgreprise.newest_report(
  country_id text, simulation_1_id bigint, simulation_2_id bigint, year text, api_version text
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if newest_report.simulation_2_id is null then
    return (
      select max(report.id)
        from public.report_outputs as report
       where report.country_id = newest_report.country_id
         and report.simulation_1_id = newest_report.simulation_1_id
         and report.simulation_2_id is null
         and report.year = newest_report.year
         and report.api_version = newest_report.api_version
    );
  end if;

  return (
    select max(report.id)
      from public.report_outputs as report
     where report.country_id = newest_report.country_id
       and report.simulation_1_id = newest_report.simulation_1_id
       and report.simulation_2_id = newest_report.simulation_2_id
       and report.year = newest_report.year
       and report.api_version = newest_report.api_version
  );
end;
$$;

comment on function pgreprise.newest_report(text, bigint, bigint, text, text) is
'The id of the newest report with these values, or null.';
