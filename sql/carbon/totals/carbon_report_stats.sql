-- carbon_report_stats(report_id, as_of): the figures of a carbon report, as the carbon calculator stores them in the
-- column stats: the sums of the stats of its modules, validated or not, and it_total_kg (the types with an it_category)
-- and highest_category_module_id (the type of the validated module with the largest total, or null).
create or replace function pgreprise.carbon_report_stats(report_id bigint, as_of timestamptz)
returns json
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with modules as (
      select module.module_type_id, module.status, stored.stats
        from public.carbon_report_modules as module
       cross join lateral (select pgreprise.as_jsonb(module.stats::json) as stats) as stored
       where module.carbon_report_id = carbon_report_stats.report_id and jsonb_typeof(stored.stats) = 'object'
    ),

    totals as (
      select coalesce(sum(pgreprise.json_number(modules.stats -> 'scope1')), 0) as scope1,
          coalesce(sum(pgreprise.json_number(modules.stats -> 'scope2')), 0) as scope2,
          coalesce(sum(pgreprise.json_number(modules.stats -> 'scope3')), 0) as scope3,
          coalesce(sum(pgreprise.json_number(modules.stats -> 'total')), 0) as total,
          coalesce(sum(pgreprise.json_number(modules.stats -> 'entry_count')::bigint), 0) as entry_count
        from modules
    ),

    figures as (
      select figure.kind, entry.emission_type_id, sum(pgreprise.json_number(entry.value)) as value
        from modules
       cross join lateral (
         values ('by_emission_type', modules.stats -> 'by_emission_type'),
           ('by_additional_value', modules.stats -> 'by_additional_value')
       ) as figure(kind, values_by_type)
       cross join lateral jsonb_each(
         case jsonb_typeof(figure.values_by_type) when 'object' then figure.values_by_type else '{}' end
       ) as entry(emission_type_id, value)
       where pgreprise.json_number(entry.value) is not null
       group by figure.kind, entry.emission_type_id
    )

    select json_build_object(
        'scope1', totals.scope1,
        'scope2', totals.scope2,
        'scope3', totals.scope3,
        'total', totals.total,
        'it_total_kg', (
          select coalesce(sum(figures.value), 0)
            from figures
            join pgreprise.carbon_emission_type as emission_type
              on emission_type.emission_type_id::text = figures.emission_type_id
           where figures.kind = 'by_emission_type' and emission_type.it_category is not null
        ),
        'by_emission_type', (
          select coalesce(json_object_agg(figures.emission_type_id, figures.value
              order by length(figures.emission_type_id), figures.emission_type_id), '{}')
            from figures
           where figures.kind = 'by_emission_type'
        ),
        'by_additional_value', (
          select coalesce(json_object_agg(figures.emission_type_id, figures.value
              order by length(figures.emission_type_id), figures.emission_type_id), '{}')
            from figures
           where figures.kind = 'by_additional_value'
        ),
        'computed_at', pgreprise.utc_text(carbon_report_stats.as_of),
        'entry_count', totals.entry_count,
        'highest_category_module_id', (
          select modules.module_type_id
            from modules
           where modules.status = 2 and pgreprise.json_number(modules.stats -> 'total') > 0
           order by pgreprise.json_number(modules.stats -> 'total') desc, modules.module_type_id
           limit 1
        )
      )
      from totals
  );
end;
$$;

comment on function pgreprise.carbon_report_stats(bigint, timestamptz) is
'The figures of a carbon report, as the carbon calculator stores them in the column stats.';
