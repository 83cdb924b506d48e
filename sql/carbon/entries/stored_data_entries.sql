-- stored_data_entries(module_id, data_entry_type_id, item_id): the entries of a module with their emissions, ordered
-- by id. With data_entry_type_id only those of that type, with item_id only that entry. Does not check access.
create or replace function pgreprise.stored_data_entries(
  module_id bigint, data_entry_type_id bigint default null, item_id bigint default null
)
returns setof pgreprise.data_entry_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select entry.id::bigint, entry.carbon_report_module_id::bigint, entry.data_entry_type_id::bigint,
        coalesce(entry.data::jsonb, '{}'), coalesce(emitted.emissions, '[]')
      from public.data_entries as entry
     cross join lateral (
       select jsonb_agg(jsonb_build_object(
           'emission_type_id', emission.emission_type_id, 'scope', emission.scope, 'kg_co2eq', emission.kg_co2eq,
           'is_rollup', pgreprise.is_rollup(emission.emission_type_id)
         ) order by emission.id) as emissions
         from public.data_entry_emissions as emission
        where emission.data_entry_id = entry.id
     ) as emitted
     where entry.carbon_report_module_id = stored_data_entries.module_id
       and (stored_data_entries.data_entry_type_id is null
         or entry.data_entry_type_id = stored_data_entries.data_entry_type_id)
       and (stored_data_entries.item_id is null or entry.id = stored_data_entries.item_id)
     order by entry.id;
end;
$$;

comment on function pgreprise.stored_data_entries(bigint, bigint, bigint) is
'The entries of a module with their emissions, as the routines return them.';
