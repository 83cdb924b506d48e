-- check_emissions(emissions, module_type_id): refuses emissions that an entry of this module cannot have: values that
-- are no numbers or negative, and types that are unknown, that sum others, or that belong to another module. So what
-- counts in the totals counts in stats too. Null is allowed, it means none.
-- Raises RC008.
create or replace function pgreprise.check_emissions(emissions jsonb, module_type_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  refused text;
begin
  refused := case
    when jsonb_typeof(check_emissions.emissions) <> 'array'
      then 'emissions must be a JSON array.'
    when exists (
      select from jsonb_array_elements(check_emissions.emissions) as emission(value)
       where jsonb_typeof(emission.value) <> 'object'
          or coalesce(jsonb_typeof(emission.value -> 'emission_type_id'), 'null') <> 'number'
          or coalesce(jsonb_typeof(emission.value -> 'kg_co2eq'), 'null') <> 'number'
          or coalesce(jsonb_typeof(emission.value -> 'scope'), 'null') not in ('number', 'null')
          or coalesce(jsonb_typeof(emission.value -> 'additional_value'), 'null') not in ('number', 'null')
          or coalesce(jsonb_typeof(emission.value -> 'primary_factor_id'), 'null') not in ('number', 'null')
          or coalesce(jsonb_typeof(emission.value -> 'meta'), 'object') <> 'object'
    ) then 'Each emission needs the numbers emission_type_id and kg_co2eq. The numbers scope, additional_value and '
      'primary_factor_id, and the object meta, are optional.'
    when exists (
      select from jsonb_to_recordset(check_emissions.emissions)
          as emission(emission_type_id numeric, scope numeric, kg_co2eq numeric, additional_value numeric,
            primary_factor_id numeric)
       where emission.emission_type_id not between 0 and 2147483647
          or emission.emission_type_id <> trunc(emission.emission_type_id)
          or emission.scope not between 0 and 2147483647
          or emission.scope <> trunc(emission.scope)
          or emission.primary_factor_id not between 0 and 2147483647
          or emission.primary_factor_id <> trunc(emission.primary_factor_id)
          or emission.kg_co2eq not between 0 and 1e15
          or emission.additional_value not between 0 and 1e15
    ) then 'emission_type_id, scope and primary_factor_id must be whole numbers from 0 to 2147483647, kg_co2eq and '
      'additional_value between 0 and 1e15.'
    when exists (
      select from jsonb_to_recordset(check_emissions.emissions) as emission(emission_type_id bigint)
       where pgreprise.is_rollup(emission.emission_type_id)
    ) then 'Emissions of the types 40000 and 60100 are sums of others. They are written by themselves.'
    else (
      select case
          when known.emission_type_id is null
            then format('There is no emission type %s.', emission.emission_type_id)
          when not known.is_leaf
            then format('Emission type %s (%s) sums others. Give those that are below it.', known.emission_type_id,
              known.name)
          else format('Emission type %s (%s) belongs to the module %s.', known.emission_type_id, known.name,
            module_type.name)
        end
        from rows from (jsonb_to_recordset(check_emissions.emissions) as (emission_type_id bigint))
          with ordinality as emission(emission_type_id, position)
        left join pgreprise.carbon_emission_type as known on known.emission_type_id = emission.emission_type_id
        left join pgreprise.carbon_module_type as module_type on module_type.module_type_id = known.module_type_id
       where (known.is_leaf and known.module_type_id = check_emissions.module_type_id) is not true
       order by emission.position
       limit 1
    )
  end;

  if refused is not null then
    perform pgreprise.raise_invalid_carbon_value(refused, jsonb_build_object(),
      'Send {"data": {...}, "emissions": [{"emission_type_id", "kg_co2eq"}]}. The types of emissions: '
      'select * from pgreprise.carbon_emission_type;');
  end if;
end;
$$;

comment on function pgreprise.check_emissions(jsonb, bigint) is
'Refuses emissions that an entry of a module cannot have (RC008).';
