-- stored_data_entries(module_id, data_entry_type_id, item_id, own_institutional_id): the entries of a module as the
-- routines return them, ordered by id. With data_entry_type_id only those of that type, with item_id only that entry,
-- with own_institutional_id only those that a caller with this limit may see (is_own_entry). kg_co2eq is the roll-up of
-- its emissions, else their sum, and 0 when there are none. Does not check access.
create or replace function pgreprise.stored_data_entries(
  module_id bigint, data_entry_type_id bigint default null, item_id bigint default null,
  own_institutional_id text default null
)
returns setof pgreprise.data_entry_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select entry.id::bigint, entry.data_entry_type_id::bigint, entry.carbon_report_module_id::bigint,
        case entry.status::text when 'PENDING' then 0 when 'VALIDATED' then 1 when 'REJECTED' then 2 end::bigint,
        jsonb_build_object('primary_factor_id', null)
          || case jsonb_typeof(stored.data) when 'object' then stored.data else '{}' end
          || jsonb_build_object('kg_co2eq', emitted.kg_co2eq)
      from public.data_entries as entry
     cross join lateral (select pgreprise.as_jsonb(entry.data::json) as data) as stored
     cross join lateral (
       select coalesce(
           sum(emission.kg_co2eq) filter (where pgreprise.is_rollup(emission.emission_type_id)),
           sum(emission.kg_co2eq), 0) as kg_co2eq
         from public.data_entry_emissions as emission
        where emission.data_entry_id = entry.id
     ) as emitted
     where entry.carbon_report_module_id = stored_data_entries.module_id
       and (stored_data_entries.data_entry_type_id is null
         or entry.data_entry_type_id = stored_data_entries.data_entry_type_id)
       and (stored_data_entries.item_id is null or entry.id = stored_data_entries.item_id)
       and pgreprise.is_own_entry(stored.data, stored_data_entries.own_institutional_id)
     order by entry.id;
end;
$$;

comment on function pgreprise.stored_data_entries(bigint, bigint, bigint, text) is
'The entries of a module, as the routines return them.';
