-- find_carbon_module(unit_id, year, module, carbon_project_type): which module of which report a client means.
-- What every module endpoint begins with: the type, access to the unit, the name of the module, then the rows.
-- Stable on purpose, as carbon_report_id is.
-- Raises RC005, RC001, RC002, RC006, and RC003 for a report or module that is not there.
create or replace function pgreprise.find_carbon_module(
  unit_id bigint, year bigint, module text, carbon_project_type bigint,
  out report_id bigint, out module_id bigint, out module_type_id bigint
)
returns record
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  report_type constant text := pgreprise.carbon_report_type(find_carbon_module.carbon_project_type);
  wanted      constant jsonb := jsonb_build_object('unit_id', find_carbon_module.unit_id,
    'year', find_carbon_module.year, 'carbon_project_type', find_carbon_module.carbon_project_type);
begin
  perform public.require_unit_access(find_carbon_module.unit_id);
  module_type_id := pgreprise.carbon_module_type_id(find_carbon_module.module);

  report_id := pgreprise.carbon_report_id(find_carbon_module.unit_id, find_carbon_module.year, report_type);
  if report_id is null then
    perform pgreprise.raise_carbon_report_not_found(wanted);
  end if;

  select stored.id into module_id
    from pgreprise.stored_carbon_modules(find_carbon_module.report_id, find_carbon_module.module_type_id) as stored;
  if not found then
    perform pgreprise.raise_carbon_report_not_found(
      wanted || jsonb_build_object('module', find_carbon_module.module), 'Module');
  end if;
end;
$$;

comment on function pgreprise.find_carbon_module(bigint, bigint, text, bigint) is
'The report and module that unit, year, name and type mean.';
