-- get_it_breakdown(report_id, exclude_modules): what IT emits in a carbon report, as charts of the carbon calculator
-- take it, in tonnes: in total, by FTE, in percent of all emissions, by four categories with what emits most in each,
-- by scope, and which of the modules behind the categories are validated. percentage_of_source_modules is the part that
-- IT has in those of these modules that are validated. Modules in exclude_modules do not count.
-- Raises RR017, RC003 when there is no such report, RC002 for a caller without access to the report's unit.
create or replace function public.get_it_breakdown(report_id bigint, exclude_modules bigint[] default '{}')
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
  perform pgreprise.require_carbon_report(get_it_breakdown.report_id);

  validated := pgreprise.carbon_validated_modules(get_it_breakdown.report_id);
  fte := pgreprise.carbon_validated_fte(get_it_breakdown.report_id);

  return (
    with sums as materialized (
      select sums.*, emission_type.it_category, emission_type.name
        from pgreprise.carbon_emission_sums(get_it_breakdown.report_id) as sums
        left join pgreprise.carbon_emission_type as emission_type
          on emission_type.emission_type_id = sums.emission_type_id
       where array_position(get_it_breakdown.exclude_modules, sums.module_type_id) is null
    ),

    sources as (
      select source.position, source.it_category, source.module_type_id, source.scope,
          source.module_type_id = any (validated) as is_validated,
          array_position(get_it_breakdown.exclude_modules, source.module_type_id) is null as is_active,
          coalesce((
            select sum(sums.kg_co2eq) from sums where sums.it_category = source.it_category
          ), 0) as kg_co2eq
        from (values (1, 'equipment_it', 4::bigint, 2), (2, 'purchases_it', 5, 3),
          (3, 'external_cloud_and_ai', 7, 3), (4, 'research_facilities_it', 6, 3))
          as source (position, it_category, module_type_id, scope)
    ),

    -- Clouds by their kind, and all AI together.
    clouds as (
      select case
          when starts_with(sums.name, 'external__ai__') then 'ai' else regexp_replace(sums.name, '^.*__', '')
        end as key,
        sum(sums.kg_co2eq) / 1000 as tonnes
        from sums
       where sums.it_category = 'external_cloud_and_ai'
       group by 1
    ),

    totals as (
      select (select sum(sources.kg_co2eq) from sources) as it_kg,
          (select coalesce(sum(sums.kg_co2eq), 0) from sums) as all_kg,
          coalesce(sum(sums.kg_co2eq) filter (where sums.it_category is not null), 0) as validated_it_kg,
          coalesce(sum(sums.kg_co2eq), 0) as validated_source_kg
        from sources
        join sums on sums.module_type_id = sources.module_type_id
       where sources.is_validated
    ),

    checked as (
      select count(*) filter (where sources.is_active) as active,
          count(*) filter (where sources.is_active and sources.is_validated) as validated,
          coalesce(jsonb_agg(sources.it_category order by sources.position)
            filter (where sources.is_active and sources.is_validated), '[]') as names,
          sum(sources.kg_co2eq) filter (where sources.scope = 2) / 1000 as scope_2,
          sum(sources.kg_co2eq) filter (where sources.scope = 3) / 1000 as scope_3
        from sources
    )

    select jsonb_build_object(
        'total_it_tonnes_co2eq', totals.it_kg / 1000,
        'total_it_per_fte', case when fte > 0 then totals.it_kg / fte / 1000 else 0 end,
        'percentage_of_total', case when totals.all_kg > 0 then totals.it_kg / totals.all_kg * 100 else 0 end,
        'percentage_of_source_modules', case
          when totals.validated_source_kg > 0 then totals.validated_it_kg / totals.validated_source_kg * 100 else 0
        end,
        'categories', (
          select jsonb_agg(jsonb_build_object(
              'category_key', sources.it_category,
              'tonnes_co2eq', sources.kg_co2eq / 1000,
              'percentage', case when totals.it_kg > 0 then sources.kg_co2eq / totals.it_kg * 100 else 0 end
            ) || case
              when sources.it_category in ('equipment_it', 'purchases_it') and sources.is_active then
                jsonb_build_object('top_items',
                  pgreprise.carbon_top_classes(get_it_breakdown.report_id, sources.it_category))
              when sources.it_category = 'external_cloud_and_ai' and exists (select from clouds) then
                jsonb_build_object(
                  'emissions', (
                    select jsonb_agg(jsonb_build_object('key', clouds.key, 'value', clouds.tonnes) order by clouds.key)
                      from clouds
                  ),
                  'top_items', (
                    select jsonb_agg(jsonb_build_object('name', clouds.key, 'value', clouds.tonnes)
                        order by clouds.tonnes desc, clouds.key)
                      from clouds
                  )
                )
              else '{}'
            end order by sources.position)
            from sources
        ),
        'scope_breakdown', jsonb_build_object('scope_2', checked.scope_2, 'scope_3', checked.scope_3),
        'validated', checked.active > 0 and checked.validated = checked.active,
        'partially_validated', checked.validated between 1 and checked.active - 1,
        'validated_sources', checked.names
      )
      from totals, checked
  );
end;
$$;

comment on function public.get_it_breakdown(bigint, bigint[]) is
'What IT emits in a carbon report, by category, for charts.';

grant execute on function public.get_it_breakdown(bigint, bigint[]) to pgreprise_api, pgreprise_dba;
