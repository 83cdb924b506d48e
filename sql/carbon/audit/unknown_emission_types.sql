-- unknown_emission_types: the types of stored emissions that carbon_emission_type does not have. A query for the
-- doctor. It goes from type to type by the calculator's index, so that it is fast on a table of any size.
with recursive types (emission_type_id) as (
  (
    select emission.emission_type_id
      from public.data_entry_emissions as emission
     order by emission.emission_type_id
     limit 1
  )
  union all
  select (
      select emission.emission_type_id
        from public.data_entry_emissions as emission
       where emission.emission_type_id > types.emission_type_id
       order by emission.emission_type_id
       limit 1
    )
    from types
   where types.emission_type_id is not null
)

select types.emission_type_id
  from types
 where types.emission_type_id is not null
   and not exists (
     select from pgreprise.carbon_emission_type as known where known.emission_type_id = types.emission_type_id
   )
 order by types.emission_type_id;
