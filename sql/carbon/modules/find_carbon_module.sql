-- find_carbon_module(unit_id, year, module, carbon_project_type, action): the ids of the report and the module that a
-- client addresses. Every route of modules begins with this. It checks the project type, the name of the module and
-- the access to it, and then looks for the rows. own_institutional_id is null when the caller may see all entries,
-- else the limit that is_own_entry takes. It is stable for the same reason as carbon_report_id.
-- Raises RC005, RC001, RC002, RC006, and RC003 for a report or module that does not exist.
create or replace function pgreprise.find_carbon_module(
  unit_id bigint, year bigint, module text, carbon_project_type bigint, action text default 'view',
  out report_id bigint, out module_id bigint, out module_type_id bigint, out own_institutional_id text
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
  module_type_id := pgreprise.carbon_module_type_id(find_carbon_module.module);
  own_institutional_id := pgreprise.require_module_access(find_carbon_module.unit_id,
    find_carbon_module.module_type_id, find_carbon_module.action);

  report_id := pgreprise.carbon_report_id(find_carbon_module.unit_id, find_carbon_module.year, report_type);
  if report_id is null then
    perform pgreprise.raise_carbon_not_found(wanted);
  end if;

  select stored.id into module_id
    from pgreprise.stored_carbon_modules(find_carbon_module.report_id, find_carbon_module.module_type_id) as stored;
  if not found then
    perform pgreprise.raise_carbon_not_found(
      wanted || jsonb_build_object('module', find_carbon_module.module), 'Module');
  end if;
end;
$$;

comment on function pgreprise.find_carbon_module(bigint, bigint, text, bigint, text) is
'The report and the module of a unit, a year, a module name and a project type.';
