-- find_carbon_projects(unit_id): the projects of a unit, by their type, with how many reports each has. Changes
-- nothing.
-- Returns id, carbon_project_type (0 Calculator, 1 Simulator_Explore, 2 Simulator_Plan) and its name
-- carbon_report_type, start_year, end_year, name, is_viewable_by_unit_members; reports;
-- last_updated, when the last of them changed.
-- Raises RR017, RC001, RC002.
create or replace function public.find_carbon_projects(unit_id bigint)
returns table (
  id bigint, carbon_project_type bigint, carbon_report_type text, start_year bigint, end_year bigint, name text,
  is_viewable_by_unit_members boolean, reports bigint, last_updated timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  perform public.require_unit_access(find_carbon_projects.unit_id);

  return query
    select project.id::bigint, pgreprise.carbon_project_type_number(project.carbon_report_type::text),
        project.carbon_report_type::text, project.start_year::bigint, project.end_year::bigint, project.name::text,
        project.is_viewable_by_unit_members, counted.reports, pgreprise.epoch_time(counted.last_updated)
      from public.carbon_projects as project
     cross join lateral (
       select count(*) as reports, max(report.last_updated)::bigint as last_updated
         from public.carbon_reports as report
        where report.carbon_project_id = project.id
     ) as counted
     where project.unit_id = find_carbon_projects.unit_id
     order by project.carbon_report_type, project.id;
end;
$$;

comment on function public.find_carbon_projects(bigint) is
'The projects of a unit, by their type, with their reports counted.';

grant execute on function public.find_carbon_projects(bigint) to pgreprise_api, pgreprise_dba;
