-- touch_carbon_module(report_id, module_type_id, as_of, status): what follows every change of a module: last_updated
-- and stats of module and report, the report's completion_progress ("3/8") and overall_status (0 none validated, 2
-- all, else 1). A null status says that entries changed, which puts a validated module back in progress.
-- The caller holds the report's row. Returns the module.
create or replace function pgreprise.touch_carbon_module(
  report_id bigint, module_type_id bigint, as_of timestamptz, status bigint default null
)
returns setof pgreprise.carbon_module_row
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  now_updated constant bigint := pgreprise.epoch_seconds(touch_carbon_module.as_of);
  figures     record;
  validated   bigint;
  modules     bigint;
begin
  select counted.* into figures
    from pgreprise.carbon_figures(touch_carbon_module.report_id) as counted
   where counted.module_type_id = touch_carbon_module.module_type_id;

  update public.carbon_report_modules as module
     set status = coalesce(touch_carbon_module.status, least(module.status, 1)),
         last_updated = now_updated,
         stats = jsonb_strip_nulls(jsonb_build_object(
           'entries', figures.entries,
           'tonnes_co2eq', figures.kg_co2eq * 0.001,
           'fte', figures.fte
         ))
   where module.id = figures.module_id;

  select count(*), count(*) filter (where module.status = 2) into modules, validated
    from public.carbon_report_modules as module
   where module.carbon_report_id = touch_carbon_module.report_id;

  update public.carbon_reports as report
     set last_updated = now_updated,
         stats = pgreprise.carbon_totals(touch_carbon_module.report_id, false),
         completion_progress = format('%s/%s', validated, modules),
         overall_status = case validated when 0 then 0 when modules then 2 else 1 end
   where report.id = touch_carbon_module.report_id;

  return query
    select stored.*
      from pgreprise.stored_carbon_modules(touch_carbon_module.report_id, touch_carbon_module.module_type_id) as stored;
end;
$$;

comment on function pgreprise.touch_carbon_module(bigint, bigint, timestamptz, bigint) is
'Brings stats, progress and last_updated of a module and its report up to date.';
