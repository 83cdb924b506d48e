-- get_carbon_project(unit_id, carbon_project_type): a unit's project of a type (0 Calculator, 1 Simulator_Explore,
-- 2 Simulator_Plan). Changes nothing, ever. No row where there is no such project.
-- Raises RR017, RC005, RC001, RC002.
create or replace function public.get_carbon_project(unit_id bigint, carbon_project_type bigint default 0)
returns setof pgreprise.carbon_project_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  report_type text;
begin
  perform pgreprise.enter('reports:read');
  report_type := pgreprise.carbon_report_type(get_carbon_project.carbon_project_type);
  perform public.require_unit_access(get_carbon_project.unit_id);

  return query
    select project.id::bigint, project.unit_id::bigint, project.carbon_report_type::text, project.start_year::bigint,
        project.end_year::bigint, project.name::text, project.is_viewable_by_unit_members
      from public.carbon_projects as project
     where project.unit_id = get_carbon_project.unit_id
       and project.carbon_report_type = report_type::public.carbon_report_type_enum;
end;
$$;

comment on function public.get_carbon_project(bigint, bigint) is 'A unit''s carbon project of a type; changes nothing.';

grant execute on function public.get_carbon_project(bigint, bigint) to pgreprise_api, pgreprise_dba;
