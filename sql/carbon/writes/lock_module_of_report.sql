-- lock_module_of_report(report_id, module_type_id): lock a module and then its report, whose figures follow from it, for
-- a change. See lock_data_entries for the order. Returns false when one of them does not exist (any more).
create or replace function pgreprise.lock_module_of_report(report_id bigint, module_type_id bigint)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from public.carbon_report_modules as module
    where module.carbon_report_id = lock_module_of_report.report_id
      and module.module_type_id = lock_module_of_report.module_type_id
      for no key update;
  if not found then
    return false;
  end if;

  perform from public.carbon_reports as report
    where report.id = lock_module_of_report.report_id
      for no key update;
  return found;
end;
$$;

comment on function pgreprise.lock_module_of_report(bigint, bigint) is
'Locks a module and its report for a change, in the order of the calculator.';
