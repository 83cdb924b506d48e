-- ensure_carbon_projects(unit_ids, report_type): the project of that type of each unit, created where it is absent.
-- However many callers ask at once, each unit has one. Units come in the order of their ids, so that two calls
-- never wait for each other in a circle. At repeatable read and serializable a caller may get 40001.
-- Returns one row a unit.
create or replace function pgreprise.ensure_carbon_projects(unit_ids bigint[], report_type text)
returns table (unit_id bigint, carbon_project_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.carbon_projects as project (unit_id, carbon_report_type)
  select distinct wanted.id, ensure_carbon_projects.report_type::public.carbon_report_type_enum
    from unnest(ensure_carbon_projects.unit_ids) as wanted(id)
   where not exists (
     select from public.carbon_projects as standing
      where standing.unit_id = wanted.id
        and standing.carbon_report_type = ensure_carbon_projects.report_type::public.carbon_report_type_enum
   )
   order by wanted.id
  on conflict on constraint uq_carbon_projects_unit_type do nothing;

  return query
    select project.unit_id::bigint, project.id::bigint
      from public.carbon_projects as project
     where project.unit_id = any (ensure_carbon_projects.unit_ids)
       and project.carbon_report_type = ensure_carbon_projects.report_type::public.carbon_report_type_enum;
end;
$$;

comment on function pgreprise.ensure_carbon_projects(bigint[], text) is
'The project of a type of each unit, created where it is absent.';
