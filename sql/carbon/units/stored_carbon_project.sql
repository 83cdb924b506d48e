-- stored_carbon_project(unit_id, report_type): a unit's project of a type as the routines return it. Does not check
-- access. Returns no row when there is no such project.
create or replace function pgreprise.stored_carbon_project(unit_id bigint, report_type text)
returns setof pgreprise.carbon_project_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select project.id::bigint, project.unit_id::bigint, project.carbon_report_type::text, project.start_year::bigint,
        project.end_year::bigint, project.name::text, project.is_viewable_by_unit_members
      from public.carbon_projects as project
     where project.unit_id = stored_carbon_project.unit_id
       and project.carbon_report_type = stored_carbon_project.report_type::public.carbon_report_type_enum;
end;
$$;

comment on function pgreprise.stored_carbon_project(bigint, text) is
'A unit''s project of a type, as the routines return it.';
