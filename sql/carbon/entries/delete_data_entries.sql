-- delete_data_entries(entry_ids): delete entries with their emissions.
-- The calling routine has locked them (lock_data_entries).
-- Raises RC017, RC018.
create or replace function pgreprise.delete_data_entries(entry_ids bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  emission_ids constant bigint[] := array(
    select emission.id::bigint
      from public.data_entry_emissions as emission
     where emission.data_entry_id = any (delete_data_entries.entry_ids)
  );
  deleted      bigint;
begin
  perform pgreprise.refuse_lost_rows('data_entry_emissions', emission_ids);
  delete from public.data_entry_emissions as emission where emission.id = any (emission_ids);
  get diagnostics deleted = row_count;
  perform pgreprise.require_all_written('data_entry_emissions', cardinality(emission_ids), deleted);

  perform pgreprise.refuse_lost_rows('data_entries', delete_data_entries.entry_ids);
  delete from public.data_entries as entry where entry.id = any (delete_data_entries.entry_ids);
  get diagnostics deleted = row_count;
  perform pgreprise.require_all_written('data_entries', cardinality(delete_data_entries.entry_ids), deleted);
end;
$$;

comment on function pgreprise.delete_data_entries(bigint[]) is 'Deletes entries with their emissions.';
