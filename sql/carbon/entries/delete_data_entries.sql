-- delete_data_entries(entry_ids): delete entries with their emissions.
-- The calling routine has locked the row of the report.
create or replace function pgreprise.delete_data_entries(entry_ids bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.data_entry_emissions as emission
   where emission.data_entry_id = any (delete_data_entries.entry_ids);
  delete from public.data_entries as entry where entry.id = any (delete_data_entries.entry_ids);
end;
$$;

comment on function pgreprise.delete_data_entries(bigint[]) is 'Deletes entries with their emissions.';
