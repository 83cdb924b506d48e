-- check_data_entry(data_entry_type_id, data, emissions): may an entry have these values? Null for data or emissions
-- means that they are not written. The one place that says so.
-- Raises RC008.
create or replace function pgreprise.check_data_entry(data_entry_type_id bigint, data jsonb, emissions jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  refused text;
begin
  refused := case
    when check_data_entry.data_entry_type_id is null
      or check_data_entry.data_entry_type_id not between 0 and 2147483647
      then 'A data entry type is a number of 32 bits.'
    when jsonb_typeof(check_data_entry.data) <> 'object'
      then 'The data of an entry is a JSON object.'
    when coalesce(jsonb_typeof(check_data_entry.data -> 'fte'), 'null') not in ('number', 'null')
      then 'fte is a number.'
    when (check_data_entry.data ->> 'fte')::numeric not between 0 and 1000000
      then 'fte is between 0 and 1000000.'
    when jsonb_typeof(check_data_entry.emissions) <> 'array'
      then 'The emissions of an entry are a JSON array.'
    when exists (
      select from jsonb_array_elements(check_data_entry.emissions) as emission(value)
       where jsonb_typeof(emission.value) <> 'object'
          or coalesce(jsonb_typeof(emission.value -> 'emission_type_id'), 'null') <> 'number'
          or coalesce(jsonb_typeof(emission.value -> 'kg_co2eq'), 'null') <> 'number'
          or coalesce(jsonb_typeof(emission.value -> 'scope'), 'null') not in ('number', 'null')
          or coalesce(jsonb_typeof(emission.value -> 'is_rollup'), 'null') not in ('boolean', 'null')
    ) then 'An emission has emission_type_id and kg_co2eq as numbers, and may have scope and is_rollup.'
    when exists (
      select from jsonb_to_recordset(check_data_entry.emissions)
          as emission(emission_type_id numeric, scope numeric, kg_co2eq numeric)
       where emission.emission_type_id not between 0 and 2147483647
          or emission.emission_type_id <> trunc(emission.emission_type_id)
          or emission.scope not between 0 and 2147483647
          or emission.scope <> trunc(emission.scope)
          or emission.kg_co2eq not between -1e15 and 1e15
          or scale(emission.kg_co2eq) > 30
    ) then 'An emission type and a scope are whole numbers of 32 bits; kg_co2eq is at most 1e15, either sign.'
  end;

  if refused is not null then
    perform pgreprise.raise_carbon_value(refused, jsonb_build_object(),
      'Send {"data": {...}, "emissions": [{"emission_type_id", "scope", "kg_co2eq", "is_rollup"}]}.');
  end if;
end;
$$;

comment on function pgreprise.check_data_entry(bigint, jsonb, jsonb) is
'Refuses values that no entry can have (RC008).';
