-- unknown_emission_types: the types of stored emissions that carbon_emission_type does not have. A query for the
-- doctor. It goes from type to type by the calculator's index, so that it is fast on a table of any size.
with recursive types (emission_type_id) as (
  select min(emission.emission_type_id)
  from public.data_entry_emissions as emission
  union all
  select (
      select min(emission.emission_type_id)
      from public.data_entry_emissions as emission
      where emission.emission_type_id > types.emission_type_id
    )
  from types
  where types.emission_type_id is not null
)

select types.emission_type_id
from types
left join pgreprise.carbon_emission_type as known on types.emission_type_id = known.emission_type_id
where types.emission_type_id is not null and known.emission_type_id is null
order by types.emission_type_id;
