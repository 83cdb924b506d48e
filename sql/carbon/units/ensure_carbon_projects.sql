-- ensure_carbon_projects(unit_ids, report_type): find the project of this type of each unit, and create it when there
-- is none. A unit has one project of a type, even when many callers do this at the same time. Units are handled in the
-- order of their ids, so that two calls cannot wait for each other (no deadlock). At repeatable read and serializable
-- a caller may get 40001. Returns one row a unit.
-- Raises RC017, RC019, 55P03 when another caller is about to create one for too long.
create or replace function pgreprise.ensure_carbon_projects(unit_ids bigint[], report_type text)
returns table (unit_id bigint, carbon_project_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  ensured   bigint;
  taken_key text;
begin
  insert into public.carbon_projects as project (unit_id, carbon_report_type, is_viewable_by_unit_members)
  select distinct wanted.id, ensure_carbon_projects.report_type::public.carbon_report_type_enum, false
    from unnest(ensure_carbon_projects.unit_ids) as wanted(id)
   where not exists (
     select from public.carbon_projects as existing
      where existing.unit_id = wanted.id
        and existing.carbon_report_type = ensure_carbon_projects.report_type::public.carbon_report_type_enum
   )
   order by wanted.id
  on conflict on constraint uq_carbon_projects_unit_type do nothing;

  return query
    select project.unit_id::bigint, project.id::bigint
      from public.carbon_projects as project
     where project.unit_id = any (ensure_carbon_projects.unit_ids)
       and project.carbon_report_type = ensure_carbon_projects.report_type::public.carbon_report_type_enum;
  get diagnostics ensured = row_count;
  perform pgreprise.require_all_written('carbon_projects',
    (select count(distinct wanted.id) from unnest(ensure_carbon_projects.unit_ids) as wanted(id)), ensured);
exception
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.refuse_taken_id(taken_key);
    raise;
  when lock_not_available then
    -- Another caller is about to create it.
    perform pgreprise.raise_lock_wait('carbon_projects', '{}');
end;
$$;

comment on function pgreprise.ensure_carbon_projects(bigint[], text) is
'Finds or creates the project of a type of each unit.';
