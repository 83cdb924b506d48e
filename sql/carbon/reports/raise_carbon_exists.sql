-- raise_carbon_exists(unit_id, report_type, carbon_project_id, year): the error for a carbon report that is to be
-- created, or moved, where the unit has one of the type and year; without a year, for a project of the type.
-- Always raises RC004.
create or replace function pgreprise.raise_carbon_exists(
  unit_id bigint, report_type text, carbon_project_id bigint default null, year bigint default null
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RC004',
    message = format('Unit #%s already has a %s %s.', raise_carbon_exists.unit_id, raise_carbon_exists.report_type,
      case when raise_carbon_exists.year is null then 'project' else format('report of %s', raise_carbon_exists.year)
      end),
    detail = jsonb_strip_nulls(jsonb_build_object('unit_id', raise_carbon_exists.unit_id,
      'carbon_report_type', raise_carbon_exists.report_type,
      'carbon_project_id', raise_carbon_exists.carbon_project_id, 'year', raise_carbon_exists.year)),
    hint = case when raise_carbon_exists.year is null then 'Use the existing project. get_carbon_project returns it.'
      else 'Use the existing report, or another year.' end;
end;
$$;

comment on function pgreprise.raise_carbon_exists(bigint, text, bigint, bigint) is 'Raises RC004.';
