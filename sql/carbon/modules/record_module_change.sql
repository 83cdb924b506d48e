-- record_module_change(report_id, module_type_id, as_of, status): update what depends on a module after each change of
-- it: stats and last_updated of module and report, and the report's completion_progress ("3/8") and overall_status (0
-- when no module is validated, 2 when all are, else 1). Without a status the entries have changed, and a validated
-- module is in progress again. The calling routine has locked the row of the report. Returns the module.
create or replace function pgreprise.record_module_change(
  report_id bigint, module_type_id bigint, as_of timestamptz, status bigint default null
)
returns setof pgreprise.carbon_module_row
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  changed_at constant bigint := pgreprise.epoch_seconds(record_module_change.as_of);
  sums       record;
  validated  bigint;
  modules    bigint;
begin
  select module_sums.* into sums
    from pgreprise.carbon_module_sums(record_module_change.report_id) as module_sums
   where module_sums.module_type_id = record_module_change.module_type_id;

  update public.carbon_report_modules as module
     set status = coalesce(record_module_change.status, least(module.status, 1)),
         last_updated = changed_at,
         stats = jsonb_strip_nulls(jsonb_build_object(
           'entries', sums.entries,
           'tonnes_co2eq', sums.kg_co2eq * 0.001,
           'fte', sums.fte
         ))
   where module.id = sums.module_id;

  select count(*), count(*) filter (where module.status = 2) into modules, validated
    from public.carbon_report_modules as module
   where module.carbon_report_id = record_module_change.report_id;

  update public.carbon_reports as report
     set last_updated = changed_at,
         stats = pgreprise.carbon_totals(record_module_change.report_id, false),
         completion_progress = format('%s/%s', validated, modules),
         overall_status = case validated when 0 then 0 when modules then 2 else 1 end
   where report.id = record_module_change.report_id;

  return query
    select stored.*
      from pgreprise.stored_carbon_modules(record_module_change.report_id,
        record_module_change.module_type_id) as stored;
end;
$$;

comment on function pgreprise.record_module_change(bigint, bigint, timestamptz, bigint) is
'Updates stats, progress and last_updated of a module and its report after a change.';
