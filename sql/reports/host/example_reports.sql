-- example_reports(): one report of each type (household, geography) that can be rerun, the one with the smallest id,
-- to try things out with. It looks at the first 1,000 reports of each type, so that it is quick in any database.
-- Returns report_id, country_id and report_type; no row for a type without such a report.
-- Raises RR017 when the caller's token may not read.
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
    select distinct on (linked.report_type) linked.report_id, linked.country_id, linked.report_type
      from pgreprise.linked_reports(array(
          select first_of_type.id
            from (values ('household'), ('geography')) as wanted(report_type)
           cross join lateral (
             select report.id::bigint as id
               from public.report_outputs as report
              where exists (
                select from public.simulations as simulation
                 where simulation.id = report.simulation_1_id
                   and simulation.country_id = report.country_id
                   and simulation.population_type = wanted.report_type
              )
              order by report.id
              limit 1000
           ) as first_of_type
        ), can_be_rerun => true) as linked
     order by linked.report_type desc, linked.report_id;
end;
$$;

comment on function public.example_reports() is
'One report of each type that can be rerun, to try things out with.';

grant execute on function public.example_reports() to pgreprise_reader, pgreprise_api, pgreprise_dba;
