-- example_units(): the first units that have an explore report, to try things with.
-- Returns unit_id, institutional_id, name, reference_year.
create or replace function public.example_units()
returns table (unit_id bigint, institutional_id text, name text, reference_year bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select unit.id::bigint, unit.institutional_id::text, unit.name::text, report.year::bigint
      from public.units as unit
      join public.carbon_projects as project
        on project.unit_id = unit.id and project.carbon_report_type = 'Simulator_Explore'
      join public.carbon_reports as report on report.carbon_project_id = project.id
     where unit.institutional_id is not null
     order by unit.id, report.year
     limit 3;
end;
$$;

comment on function public.example_units() is
'The first units that have an explore report, to try things with.';

grant execute on function public.example_units() to pgreprise_dba;
