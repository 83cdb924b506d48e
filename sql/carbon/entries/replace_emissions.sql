-- replace_emissions(entry_id, data_entry_type_id, emissions, as_of): delete the emissions of an entry and write these
-- in their place, as the carbon calculator does: the scope is that of the type where none is given, and an entry of
-- a type with a roll-up (carbon_entry_type) gets one, their sum, where it has more than one emission.
-- The calling routine has checked them (check_emissions) and has locked the entry and its emissions
-- (lock_data_entries).
-- Raises RC017, RC018, RC019.
create or replace function pgreprise.replace_emissions(
  entry_id bigint, data_entry_type_id bigint, emissions jsonb, as_of timestamptz
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  old_ids constant bigint[] := array(
    select emission.id::bigint
      from public.data_entry_emissions as emission
     where emission.data_entry_id = replace_emissions.entry_id
  );
  wanted    bigint;
  written   bigint;
  taken_key text;
begin
  perform pgreprise.refuse_lost_rows('data_entry_emissions', old_ids);
  delete from public.data_entry_emissions as emission where emission.id = any (old_ids);
  get diagnostics written = row_count;
  perform pgreprise.require_all_written('data_entry_emissions', cardinality(old_ids), written);

  begin
    insert into public.data_entry_emissions (
      data_entry_id, emission_type_id, primary_factor_id, kg_co2eq, additional_value, scope, meta, computed_at
    )
    select replace_emissions.entry_id, wanted.emission_type_id, wanted.primary_factor_id, wanted.kg_co2eq,
        wanted.additional_value, coalesce(wanted.scope, emission_type.scope), coalesce(wanted.meta, '{}'),
        replace_emissions.as_of
      from rows from (jsonb_to_recordset(replace_emissions.emissions)
        as (emission_type_id bigint, primary_factor_id bigint, kg_co2eq double precision,
          additional_value double precision, scope bigint, meta json))
        with ordinality
          as wanted(emission_type_id, primary_factor_id, kg_co2eq, additional_value, scope, meta, position)
      left join pgreprise.carbon_emission_type as emission_type
        on emission_type.emission_type_id = wanted.emission_type_id
     order by wanted.position;
    get diagnostics written = row_count;
    perform pgreprise.require_all_written('data_entry_emissions',
      jsonb_array_length(replace_emissions.emissions), written);

    with rollup as (
      select entry_type.rollup_type_id as emission_type_id, min(emission.primary_factor_id) as primary_factor_id,
          sum(emission.kg_co2eq) as kg_co2eq
        from pgreprise.carbon_entry_type as entry_type
        join public.data_entry_emissions as emission on emission.data_entry_id = replace_emissions.entry_id
       where entry_type.data_entry_type_id = replace_emissions.data_entry_type_id
         and entry_type.rollup_type_id is not null
       group by entry_type.rollup_type_id
      having count(*) > 1
    ),

    inserted as (
      insert into public.data_entry_emissions (
        data_entry_id, emission_type_id, primary_factor_id, kg_co2eq, additional_value, scope, meta, computed_at
      )
      select replace_emissions.entry_id, rollup.emission_type_id, rollup.primary_factor_id, rollup.kg_co2eq,
          null, null, '{"is_rollup": true}', replace_emissions.as_of
        from rollup
      returning 1
    )

    select (select count(*) from rollup), (select count(*) from inserted) into wanted, written;
    perform pgreprise.require_all_written('data_entry_emissions', wanted, written);
  exception
    when unique_violation then
      get stacked diagnostics taken_key = constraint_name;
      perform pgreprise.refuse_taken_id(taken_key);
      raise;
  end;
end;
$$;

comment on function pgreprise.replace_emissions(bigint, bigint, jsonb, timestamptz) is
'Replaces the emissions of an entry, and writes their roll-up where the calculator has one.';
