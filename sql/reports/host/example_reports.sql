-- example_reports(): one report of each type (household, geography) that can be rerun, the one with the smallest id,
-- to try things out with. Returns report_id, country_id and report_type; no row for a type without such a report.
-- Raises RR017 when the caller's token may not read.
create or replace function public.example_reports()
returns table (report_id bigint, country_id text, report_type text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  candidate record;
begin
  perform pgreprise.enter('reports:read');

  foreach report_type in array array['household', 'geography'] loop
    for candidate in
      select report.id
        from public.report_outputs as report
       where exists (
         select from public.simulations as simulation
          where simulation.id = report.simulation_1_id
            and simulation.country_id = report.country_id
            and simulation.population_type = example_reports.report_type
       )
       order by report.id
    loop
      select linked.report_id, linked.country_id into report_id, country_id
        from pgreprise.linked_reports(array[candidate.id::bigint], can_be_rerun => true) as linked;
      if found then
        return next;
        exit;
      end if;
    end loop;
  end loop;
end;
$$;

comment on function public.example_reports() is
'One report of each type that can be rerun, to try things out with.';

grant execute on function public.example_reports() to pgreprise_reader, pgreprise_api, pgreprise_dba;
