-- lock_carbon_module(unit_id, year, module, carbon_project_type, item_id, item_is_deleted): as find_carbon_module for a
-- caller who edits, and lock what a write changes, in the order of the calculator: the entry item_id of the module with
-- its emissions (lock_data_entries), the module, the report. When the calculator is changing the entry, this waits, and
-- the caller then sees what that one left. When a refresh replaces the report while this waits, the new report and
-- module are locked instead.
-- Raises what find_carbon_module raises, and 40001 when the report is replaced three times.
create or replace function pgreprise.lock_carbon_module(
  unit_id bigint, year bigint, module text, carbon_project_type bigint, item_id bigint default null,
  item_is_deleted boolean default false,
  out report_id bigint, out module_id bigint, out module_type_id bigint, out own_institutional_id text
)
returns record
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  for attempt in 1..3 loop
    select target.report_id, target.module_id, target.module_type_id, target.own_institutional_id
      into lock_carbon_module.report_id, lock_carbon_module.module_id, lock_carbon_module.module_type_id,
        lock_carbon_module.own_institutional_id
      from pgreprise.find_carbon_module(lock_carbon_module.unit_id, lock_carbon_module.year,
        lock_carbon_module.module, lock_carbon_module.carbon_project_type, 'edit') as target;

    perform pgreprise.lock_data_entries(array(
        select entry.id::bigint
          from public.data_entries as entry
         where entry.id = lock_carbon_module.item_id and entry.carbon_report_module_id = lock_carbon_module.module_id
      ), lock_carbon_module.item_is_deleted);
    if pgreprise.lock_module_of_report(lock_carbon_module.report_id, lock_carbon_module.module_type_id) then
      return;
    end if;
  end loop;

  raise exception using
    errcode = 'serialization_failure',
    message = 'The carbon report was replaced while this transaction waited to lock it.',
    hint = 'Try again.';
end;
$$;

comment on function pgreprise.lock_carbon_module(bigint, bigint, text, bigint, bigint, boolean) is
'As find_carbon_module, and locks the entry, the module and the report for a write.';
