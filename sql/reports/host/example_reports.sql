-- example_reports(): the first report of each kind that can be rerun, to try things out with.
-- Returns report_id, country_id and report_type (household, geography); no row where there is no such report.
create or replace function public.example_reports()
returns table (report_id bigint, country_id text, report_type text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select example.id, example.country_id, kind.population_type
      from (values ('household'), ('geography')) as kind(population_type)
     cross join lateral (
       select report.id::bigint as id, report.country_id::text as country_id
         from public.report_outputs as report
         join public.simulations as simulation_1
           on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
         left join public.simulations as simulation_2
           on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
         left join pgreprise.country as country on country.country_id = report.country_id
        where simulation_1.population_type = kind.population_type
          and not exists (
            select from pgreprise.report_defect(report.id, report.country_id, report.year, report.simulation_1_id,
              simulation_1.population_type, report.simulation_2_id, simulation_2.population_type,
              country.economy_impact_version)
          )
        order by report.id
        limit 1
     ) as example;
end;
$$;

comment on function public.example_reports() is
'The first report of each kind that can be rerun, to try things out with.';

grant execute on function public.example_reports() to pgreprise_reader, pgreprise_api, pgreprise_dba;
