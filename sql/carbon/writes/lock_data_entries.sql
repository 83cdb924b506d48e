-- lock_data_entries(entry_ids, are_deleted): lock entries and their emissions for a write. Every write of the carbon
-- domain locks as the calculator does: entries, their emissions, modules, the report, each by id. So the two can wait
-- for each other, but not in a circle. Rows that are only changed are locked so that rows that refer to them can still
-- be added.
create or replace function pgreprise.lock_data_entries(entry_ids bigint[], are_deleted boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from public.data_entries as entry
    where entry.id = any (lock_data_entries.entry_ids)
    order by entry.id
      for no key update;
  perform from public.data_entry_emissions as emission
    where emission.data_entry_id = any (lock_data_entries.entry_ids)
    order by emission.id
      for update;

  if lock_data_entries.are_deleted then
    -- Now, before the module: the calculator may be adding an emission, and goes for the module next.
    perform from public.data_entries as entry
      where entry.id = any (lock_data_entries.entry_ids)
      order by entry.id
        for update;
  end if;
end;
$$;

comment on function pgreprise.lock_data_entries(bigint[], boolean) is
'Locks entries and their emissions for a write, in the order of the calculator.';
