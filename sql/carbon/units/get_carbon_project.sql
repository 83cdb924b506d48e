-- get_carbon_project(unit_id, carbon_project_type): a unit's project of a type (0 Calculator, 1 Simulator_Explore,
-- 2 Simulator_Plan). It never changes anything. Returns no row when there is no such project.
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
    select stored.* from pgreprise.stored_carbon_project(get_carbon_project.unit_id, report_type) as stored;
end;
$$;

comment on function public.get_carbon_project(bigint, bigint) is 'A unit''s carbon project of a type. Changes nothing.';

grant execute on function public.get_carbon_project(bigint, bigint) to pgreprise_api, pgreprise_dba;
