-- lock_data_entries(entry_ids, are_deleted): lock entries and their emissions for a write. Every write of the carbon
-- domain locks as the calculator does: entries, their emissions, modules, the report, each by id. So the two can wait
-- for each other, but not in a circle.
-- Raises 55P03.
create or replace function pgreprise.lock_data_entries(entry_ids bigint[], are_deleted boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.lock_rows('data_entries', lock_data_entries.entry_ids);
  perform pgreprise.lock_rows('data_entry_emissions', array(
      select emission.id::bigint
        from public.data_entry_emissions as emission
       where emission.data_entry_id = any (lock_data_entries.entry_ids)
    ), are_deleted => true);

  if lock_data_entries.are_deleted then
    -- Now, before the module: the calculator may be adding an emission, and goes for the module next.
    perform pgreprise.lock_rows('data_entries', lock_data_entries.entry_ids, are_deleted => true);
  end if;
end;
$$;

comment on function pgreprise.lock_data_entries(bigint[], boolean) is
'Locks entries and their emissions for a write, in the order of the calculator.';
