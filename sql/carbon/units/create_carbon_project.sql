-- create_carbon_project(unit_id, carbon_project_type, start_year, end_year, name, is_viewable_by_unit_members):
-- create a unit's project of a type. get_carbon_project only reads.
-- Raises RR017, RC005, RC001, RC002, RC004 when the project exists, RC008 for a number that is not a year and for
-- a name that is longer than its column, RC017, RC019, 55P03 when another caller is about to create it for too long.
create or replace function public.create_carbon_project(
  unit_id bigint,
  carbon_project_type bigint default 0,
  start_year bigint default null,
  end_year bigint default null,
  name text default null,
  is_viewable_by_unit_members boolean default false
)
returns setof pgreprise.carbon_project_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  report_type text;
  is_new      boolean;
  longest     bigint;
  taken_key   text;
begin
  perform pgreprise.enter('reports:write');
  report_type := pgreprise.carbon_report_type(create_carbon_project.carbon_project_type);
  perform public.require_unit_access(create_carbon_project.unit_id, 'edit');
  perform pgreprise.require_carbon_year(given.year)
    from (values (create_carbon_project.start_year), (create_carbon_project.end_year)) as given(year)
   where given.year is not null;

  select attribute.atttypmod - 4 into longest
    from pg_attribute as attribute
   where attribute.attrelid = 'public.carbon_projects'::regclass and attribute.attname = 'name'
     and attribute.atttypmod > 0;
  if char_length(create_carbon_project.name) > longest then
    perform pgreprise.raise_invalid_carbon_value(
      format('name has %s characters, and the column public.carbon_projects.name takes %s.',
        char_length(create_carbon_project.name), longest),
      jsonb_build_object('name', create_carbon_project.name, 'longest', longest), 'Give a shorter name.');
  end if;

  insert into public.carbon_projects (
    unit_id, carbon_report_type, start_year, end_year, name, is_viewable_by_unit_members
  )
  values (create_carbon_project.unit_id, report_type::public.carbon_report_type_enum,
    create_carbon_project.start_year, create_carbon_project.end_year, create_carbon_project.name,
    coalesce(create_carbon_project.is_viewable_by_unit_members, false))
  on conflict on constraint uq_carbon_projects_unit_type do nothing;
  is_new := found;
  perform pgreprise.require_all_written('carbon_projects', 1, (
    select count(*) from pgreprise.stored_carbon_project(create_carbon_project.unit_id, report_type)
  ));
  if not is_new then
    perform pgreprise.raise_carbon_exists(create_carbon_project.unit_id, report_type);
  end if;

  return query
    select stored.* from pgreprise.stored_carbon_project(create_carbon_project.unit_id, report_type) as stored;
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

comment on function public.create_carbon_project(bigint, bigint, bigint, bigint, text, boolean) is
'Creates a unit''s carbon project of a type; refuses when it exists (RC004).';

grant execute on function public.create_carbon_project(bigint, bigint, bigint, bigint, text, boolean)
to pgreprise_api, pgreprise_dba;
