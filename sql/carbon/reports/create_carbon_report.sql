-- create_carbon_report(unit_id, year, reference_year, carbon_project_id, carbon_project_type, as_of): create a unit's
-- report of a year with all its modules not started, in the project that is named or else in the unit's project
-- of the type, which is created where it is absent. Always creates, or refuses.
-- Of an explore report the year is the reference year, and reference_year stays null.
-- Raises RR017, RC005, RC001, RC002, RC004 where there is one, RC008 for a year that is none and for a project that
-- is not the unit's.
create or replace function public.create_carbon_report(
  unit_id bigint,
  year bigint,
  reference_year bigint default null,
  carbon_project_id bigint default null,
  carbon_project_type bigint default 0,
  as_of timestamptz default now()
)
returns setof pgreprise.carbon_report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  report_type text;
  project_id  bigint := create_carbon_report.carbon_project_id;
begin
  perform pgreprise.enter('reports:write');
  report_type := pgreprise.carbon_report_type(create_carbon_report.carbon_project_type);
  perform public.require_unit_access(create_carbon_report.unit_id);
  perform pgreprise.require_carbon_year(create_carbon_report.year);
  if create_carbon_report.reference_year is not null then
    perform pgreprise.require_carbon_year(create_carbon_report.reference_year);
  end if;

  if project_id is null then
    select ensured.carbon_project_id into project_id
      from pgreprise.ensure_carbon_projects(array[create_carbon_report.unit_id], report_type) as ensured;
  else
    select project.carbon_report_type::text into report_type
      from public.carbon_projects as project
     where project.id = create_carbon_report.carbon_project_id and project.unit_id = create_carbon_report.unit_id;
    if not found then
      perform pgreprise.raise_carbon_value(
        format('Carbon project #%s is not one of unit #%s.', project_id, create_carbon_report.unit_id),
        jsonb_build_object('unit_id', create_carbon_report.unit_id, 'carbon_project_id', project_id),
        'Leave carbon_project_id out for the project of the unit.');
    end if;
  end if;

  return query
    select created.*
      from pgreprise.insert_carbon_reports(array[create_carbon_report.unit_id], array[project_id],
        array[create_carbon_report.year],
        array[case when report_type <> 'Simulator_Explore' then create_carbon_report.reference_year end],
        create_carbon_report.as_of) as created;

  if not found then
    raise exception using
      errcode = 'RC004',
      message = format('Unit #%s has a %s report of %s already.', create_carbon_report.unit_id, report_type,
        create_carbon_report.year),
      detail = jsonb_build_object('unit_id', create_carbon_report.unit_id, 'carbon_project_id', project_id,
        'year', create_carbon_report.year),
      hint = 'Get it instead of creating it.';
  end if;
end;
$$;

comment on function public.create_carbon_report(bigint, bigint, bigint, bigint, bigint, timestamptz) is
'Creates a unit''s carbon report of a year with all its modules, and refuses where there is one.';

grant execute on function public.create_carbon_report(bigint, bigint, bigint, bigint, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
