-- record_module_change(report_id, module_type_id, as_of, status): update what depends on a module after each change of
-- it: status and last_updated of the module, and stats, last_updated, completion_progress ("3/8") and overall_status (0
-- when no module is validated, 2 when all are, else 1) of the report. Without a status the entries have changed: then
-- the module is in progress, and its stats are computed. The calling routine has locked module and report
-- (lock_module_of_report). Returns the module.
-- Raises RC017.
create or replace function pgreprise.record_module_change(
  report_id bigint, module_type_id bigint, as_of timestamptz, status bigint default null
)
returns setof pgreprise.carbon_module_row
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  changed_at constant bigint := pgreprise.epoch_seconds(record_module_change.as_of);
  validated  bigint;
  modules    bigint;
begin
  update public.carbon_report_modules as module
     set status = coalesce(record_module_change.status, 1),
         last_updated = changed_at,
         stats = case when record_module_change.status is null
           then pgreprise.carbon_module_stats(record_module_change.report_id, record_module_change.module_type_id,
             record_module_change.as_of)
           else module.stats::json end
   where module.carbon_report_id = record_module_change.report_id
     and module.module_type_id = record_module_change.module_type_id;
  perform pgreprise.require_all_written('carbon_report_modules', 1, found::int);

  select count(*), count(*) filter (where module.status = 2) into modules, validated
    from public.carbon_report_modules as module
   where module.carbon_report_id = record_module_change.report_id;

  update public.carbon_reports as report
     set last_updated = changed_at,
         stats = pgreprise.carbon_report_stats(record_module_change.report_id, record_module_change.as_of),
         completion_progress = format('%s/%s', validated, modules),
         overall_status = case validated when 0 then 0 when modules then 2 else 1 end
   where report.id = record_module_change.report_id;
  perform pgreprise.require_all_written('carbon_reports', 1, found::int);

  return query
    select stored.*
      from pgreprise.stored_carbon_modules(record_module_change.report_id,
        record_module_change.module_type_id) as stored;
end;
$$;

comment on function pgreprise.record_module_change(bigint, bigint, timestamptz, bigint) is
'Updates status, stats and progress of a module and its report after a change.';
