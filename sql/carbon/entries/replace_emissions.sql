-- replace_emissions(entry_id, emissions): delete the emissions of an entry and write these in their place.
-- The calling routine has checked them (check_data_entry) and has locked the row of the report.
create or replace function pgreprise.replace_emissions(entry_id bigint, emissions jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.data_entry_emissions as emission where emission.data_entry_id = replace_emissions.entry_id;

  insert into public.data_entry_emissions (data_entry_id, emission_type_id, scope, kg_co2eq, is_rollup)
  select replace_emissions.entry_id, wanted.emission_type_id, wanted.scope, wanted.kg_co2eq,
      coalesce(wanted.is_rollup, false)
    from rows from (jsonb_to_recordset(replace_emissions.emissions)
      as (emission_type_id bigint, scope bigint, kg_co2eq numeric, is_rollup boolean))
      with ordinality as wanted(emission_type_id, scope, kg_co2eq, is_rollup, position)
   order by wanted.position;
end;
$$;

comment on function pgreprise.replace_emissions(bigint, jsonb) is 'Replaces the emissions of an entry.';
