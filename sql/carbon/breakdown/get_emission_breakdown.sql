-- get_emission_breakdown(report_id, exclude_modules): the emissions of a carbon report as the charts of the carbon
-- calculator take them, in tonnes: by category (module_breakdown, additional_breakdown), by person, and what is IT. All
-- modules count, validated or not; FTE is that of validated modules. Types whose sum is not positive are left out, and
-- so are the modules in exclude_modules.
-- embodied_energy_by_category is always empty: it needs the factors of the calculator, which are not adopted.
-- Raises RR017, RC003 when there is no such report, RC002 for a caller without access to the report's unit.
create or replace function public.get_emission_breakdown(report_id bigint, exclude_modules bigint[] default '{}')
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  validated bigint[];
  fte       double precision;
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.require_carbon_report(get_emission_breakdown.report_id);

  validated := pgreprise.carbon_validated_modules(get_emission_breakdown.report_id);
  fte := pgreprise.carbon_validated_fte(get_emission_breakdown.report_id);

  return (
    with sums as materialized (
      select sums.*
        from pgreprise.carbon_chart_sums(get_emission_breakdown.report_id,
          get_emission_breakdown.exclude_modules) as sums
    ),

    shown as (
      select sums.emission_type_id, sums.category, sums.key, sums.parent_key, sums.kg_co2eq / 1000 as tonnes,
          jsonb_strip_nulls(jsonb_build_object(
            'emission_type', sums.name,
            'key', sums.key,
            'value', sums.kg_co2eq / 1000,
            'parent_key', sums.parent_key,
            'quantity', case when sums.unit is not null then sums.quantity end,
            'quantity_unit', case when sums.quantity is not null then sums.unit end
          )) as told
        from sums
       where sums.kg_co2eq > 0
    ),

    -- By category: its emissions in a list, and the sums of each key, and of each parent key, under their own names.
    lists as (
      select shown.category, jsonb_agg(shown.told order by shown.emission_type_id) as emissions
        from shown
       group by shown.category
    ),

    keys as (
      select by_key.category, jsonb_object_agg(by_key.key, by_key.tonnes) as flat
        from (
         select shown.category, shown.key, sum(shown.tonnes) as tonnes from shown group by shown.category, shown.key
        ) as by_key
       group by by_key.category
    ),

    parents as (
      select by_parent.category,
          jsonb_object_agg(by_parent.parent_key, by_parent.tonnes)
            filter (where by_parent.parent_key is not null) as flat
        from (
         select shown.category, shown.parent_key, sum(shown.tonnes) as tonnes
           from shown
          group by shown.category, shown.parent_key
        ) as by_parent
       group by by_parent.category
    ),

    bars as (
      select bar.category, jsonb_agg(bar.key order by bar.first) as keys
        from (
         select shown.category, coalesce(shown.parent_key, shown.key) as key, min(shown.emission_type_id) as first
           from shown
          group by 1, 2
        ) as bar
       group by bar.category
    ),

    categories as (
      select category.category, category.position, category.is_additional,
          category.module_type_id = any (validated) as is_validated,
          -- A category beside the others is shown, empty, also when its module is excluded.
          category.is_additional or array_position(get_emission_breakdown.exclude_modules,
            category.module_type_id::bigint) is null as is_shown,
          coalesce((select sum(sums.kg_co2eq) from sums where sums.category = category.category), 0) as kg_co2eq,
          jsonb_build_object('category', category.category, 'category_key', category.category)
            || coalesce(keys.flat, '{}') || coalesce(parents.flat, '{}')
            || jsonb_build_object('emissions', coalesce(lists.emissions, '[]'),
              'parent_keys_order', coalesce(bars.keys, '[]')) as told
        from pgreprise.carbon_emission_category as category
        left join lists on lists.category = category.category
        left join keys on keys.category = category.category
        left join parents on parents.category = category.category
        left join bars on bars.category = category.category
    ),

    it as (
      select coalesce(sum(sums.kg_co2eq) filter (where sums.it_category is not null), 0) as kg_co2eq
        from sums
    ),

    totals as (
      select sum(categories.kg_co2eq) as kg_co2eq,
          sum(categories.kg_co2eq) filter (where not categories.is_additional) as main_kg_co2eq
        from categories
    )

    select jsonb_build_object(
        'module_breakdown', (
          select coalesce(jsonb_agg(categories.told order by categories.position), '[]')
            from categories
           where categories.is_shown and not categories.is_additional
        ),
        'additional_breakdown', (
          select coalesce(jsonb_agg(categories.told order by categories.position), '[]')
            from categories
           where categories.is_additional
        ),
        'per_person_breakdown', (
          select coalesce(jsonb_object_agg(categories.category,
              case when fte > 0 then categories.kg_co2eq / fte / 1000 else 0 end), '{}')
            from categories
           where case
             when categories.is_additional then categories.is_validated and fte > 0
             else categories.is_shown
           end
        ),
        'validated_categories', (
          select coalesce(jsonb_agg(categories.category order by categories.position), '[]')
            from categories
           where categories.is_validated
        ),
        'headcount_validated', 1 = any (validated),
        'buildings_validated', 3 = any (validated),
        'total_tonnes_co2eq', totals.kg_co2eq / 1000,
        'total_fte', fte,
        'embodied_energy_by_building', case
          when 3 = any (validated) then pgreprise.embodied_energy_by_building(get_emission_breakdown.report_id)
          else '[]'
        end,
        'embodied_energy_by_category', '[]'::jsonb,
        'it_summary', jsonb_build_object(
          'total_tonnes_co2eq', it.kg_co2eq / 1000,
          'percentage_of_total', case
            when totals.main_kg_co2eq > 0 then it.kg_co2eq / totals.main_kg_co2eq * 100 else 0
          end
        )
      )
      from totals, it
  );
end;
$$;

comment on function public.get_emission_breakdown(bigint, bigint[]) is
'The emissions of a carbon report by category, by person and by emission type, for charts.';

grant execute on function public.get_emission_breakdown(bigint, bigint[]) to pgreprise_api, pgreprise_dba;
