-- carbon_module_stats(report_id, module_type_id, as_of): the figures of a module, as the carbon calculator stores them
-- in the column stats: {"scope1", "scope2", "scope3", "total", "by_emission_type", "by_additional_value",
-- "computed_at", "entry_count"}, in kilograms. The scope is that of the emission type, not of the row. by_emission_type
-- and by_additional_value have the types that are not 0, and those above them with the sums of their leaves. Emissions
-- of types that do not belong to the module do not count.
create or replace function pgreprise.carbon_module_stats(report_id bigint, module_type_id bigint, as_of timestamptz)
returns json
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with own as (
      select emission_type.emission_type_id, emission_type.name, emission_type.is_leaf, emission_type.scope,
          sums.kg_co2eq, sums.additional_value
        from pgreprise.carbon_emission_sums(carbon_module_stats.report_id, carbon_module_stats.module_type_id) as sums
        join pgreprise.carbon_emission_type as emission_type
          on emission_type.emission_type_id = sums.emission_type_id
             and emission_type.module_type_id = sums.module_type_id
    ),

    scopes as (
      select coalesce(sum(own.kg_co2eq) filter (where own.scope = 1), 0) as scope1,
          coalesce(sum(own.kg_co2eq) filter (where own.scope = 2), 0) as scope2,
          coalesce(sum(own.kg_co2eq) filter (where own.scope = 3), 0) as scope3
        from own
    ),

    summed as (
      select own.emission_type_id, own.kg_co2eq, own.additional_value, true as is_own
        from own
      union all
      select above.emission_type_id, sum(own.kg_co2eq), sum(own.additional_value), false
        from own
        join pgreprise.carbon_emission_type as above on starts_with(own.name, above.name || '__')
       where own.is_leaf
       group by above.emission_type_id
    ),

    -- Where emissions stand at a type that has others below it, the sum of those wins, as in the calculator.
    figures as (
      select distinct on (figure.kind, summed.emission_type_id) figure.kind, summed.emission_type_id, figure.value,
          summed.is_own
        from summed
       cross join lateral (
         values ('by_emission_type', summed.kg_co2eq), ('by_additional_value', summed.additional_value)
       ) as figure(kind, value)
       where figure.value <> 0
       order by figure.kind, summed.emission_type_id, summed.is_own
    )

    select json_build_object(
        'scope1', scopes.scope1,
        'scope2', scopes.scope2,
        'scope3', scopes.scope3,
        'total', scopes.scope1 + scopes.scope2 + scopes.scope3,
        'by_emission_type', (
          select coalesce(json_object_agg(figures.emission_type_id, figures.value
              order by figures.is_own desc, figures.emission_type_id), '{}')
            from figures
           where figures.kind = 'by_emission_type'
        ),
        'by_additional_value', (
          select coalesce(json_object_agg(figures.emission_type_id, figures.value
              order by figures.is_own desc, figures.emission_type_id), '{}')
            from figures
           where figures.kind = 'by_additional_value'
        ),
        'computed_at', pgreprise.utc_text(carbon_module_stats.as_of),
        'entry_count', (
          select entered.entries
            from pgreprise.carbon_entry_sums(carbon_module_stats.report_id, carbon_module_stats.module_type_id)
              as entered
        )
      )
      from scopes
  );
end;
$$;

comment on function pgreprise.carbon_module_stats(bigint, bigint, timestamptz) is
'The figures of a module, as the carbon calculator stores them in the column stats.';
