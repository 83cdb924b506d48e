-- create_carbon_report(unit_id, year, reference_year, carbon_project_id, carbon_project_type, as_of): create a unit's
-- report of a year with all its modules, which are not started. It belongs to the project carbon_project_id; without
-- that, to the unit's project of the type, which is created when there is none.
-- The year of an explore report is its reference year, and its reference_year is null.
-- Raises RR017, RC005, RC001, RC002, RC004 when the report exists, RC008 for a number that is not a year and for a
-- project of another unit, RC017.
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
  perform public.require_unit_access(create_carbon_report.unit_id, 'edit');
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
      perform pgreprise.raise_invalid_carbon_value(
        format('Unit #%s has no carbon project #%s.', create_carbon_report.unit_id, project_id),
        jsonb_build_object('unit_id', create_carbon_report.unit_id, 'carbon_project_id', project_id),
        'Leave out carbon_project_id. Then the project of the unit is used.');
    end if;
  end if;

  return query
    select created.*
      from pgreprise.insert_carbon_reports(array[create_carbon_report.unit_id], array[project_id],
        array[create_carbon_report.year],
        array[case when report_type <> 'Simulator_Explore' then create_carbon_report.reference_year end],
        case when report_type = 'Simulator_Explore' then create_carbon_report.as_of end) as created;

  if not found then
    perform pgreprise.raise_carbon_exists(create_carbon_report.unit_id, report_type, project_id,
      create_carbon_report.year);
  end if;
end;
$$;

comment on function public.create_carbon_report(bigint, bigint, bigint, bigint, bigint, timestamptz) is
'Creates a unit''s carbon report of a year with all its modules; refuses when it exists (RC004).';

grant execute on function public.create_carbon_report(bigint, bigint, bigint, bigint, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
