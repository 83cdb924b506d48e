-- report_defects(): every report that cannot be rerun, and why; the audit to run first.
-- Reads the whole table and changes nothing. One row a report, by id.
create or replace function public.report_defects()
returns table (report_id bigint, country_id text, errcode text, message text, hint text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select report.id::bigint, report.country_id::text, defect.errcode, defect.message, defect.hint
      from public.report_outputs as report
      left join public.simulations as simulation_1
        on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
      left join public.simulations as simulation_2
        on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
      left join pgreprise.country as country on country.country_id = report.country_id
     cross join lateral pgreprise.report_defect(report.id, report.country_id, report.year, report.simulation_1_id,
       simulation_1.population_type, report.simulation_2_id, simulation_2.population_type,
       country.economy_impact_version) as defect
     order by report.id;
end;
$$;

comment on function public.report_defects() is 'Every report that cannot be rerun, and why.';

grant execute on function public.report_defects() to pgreprise_reader, pgreprise_api, pgreprise_dba;
