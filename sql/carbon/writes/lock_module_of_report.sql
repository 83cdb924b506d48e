-- lock_module_of_report(report_id, module_type_id): lock a module, and then its report, whose figures follow from it.
-- See lock_data_entries for the order. Returns false when one of them does not exist (any more).
-- Raises 55P03.
create or replace function pgreprise.lock_module_of_report(report_id bigint, module_type_id bigint)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  module_ids constant bigint[] := array(
    select module.id::bigint
      from public.carbon_report_modules as module
     where module.carbon_report_id = lock_module_of_report.report_id
       and module.module_type_id = lock_module_of_report.module_type_id
  );
begin
  return pgreprise.lock_rows('carbon_report_modules', module_ids) > 0
    and pgreprise.lock_rows('carbon_reports', array[lock_module_of_report.report_id]) > 0;
end;
$$;

comment on function pgreprise.lock_module_of_report(bigint, bigint) is
'Locks a module and its report for a change, in the order of the calculator.';
