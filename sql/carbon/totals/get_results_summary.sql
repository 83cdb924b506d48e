-- get_results_summary(report_id, exclude_modules): the results of a carbon report, as the carbon calculator tells them:
-- {"unit_totals": {...}, "co2_per_km_kg", "module_results": [{"module_type_id", ...}]}, in tonnes, per FTE, in
-- kilometres of a car, and compared with the Calculator report of the unit's previous year. Only validated modules that
-- have emissions count, whatever the type of the report; those in exclude_modules do not.
-- Raises RR017, RC003 when there is no such report, RC002 for a caller without access to the report's unit.
create or replace function public.get_results_summary(report_id bigint, exclude_modules bigint[] default '{}')
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  car         double precision;
  report      record;
  previous_id bigint;
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.require_carbon_report(get_results_summary.report_id);

  select setting.co2_per_km_kg into strict car from pgreprise.setting as setting;
  select stored.unit_id::bigint as unit_id, stored.year::bigint as year into report
    from public.carbon_reports as stored
   where stored.id = get_results_summary.report_id;
  previous_id := pgreprise.carbon_report_id(report.unit_id, report.year - 1, 'Calculator');

  return (
    with this_year as (
      select sums.*
        from pgreprise.carbon_module_sums(get_results_summary.report_id) as sums
       where sums.status = 2
    ),

    fte as (
      select max(coalesce(this_year.fte, 0)) as value
        from this_year
       where this_year.module_type_id = 1 and this_year.entries > 0
    ),

    emitted as (
      select this_year.module_type_id, this_year.kg_co2eq
        from this_year
       where this_year.kg_co2eq is not null
         and array_position(get_results_summary.exclude_modules, this_year.module_type_id) is null
    ),

    previous as (
      select sums.module_type_id, sums.kg_co2eq
        from pgreprise.carbon_module_sums(previous_id) as sums
       where sums.status = 2 and sums.kg_co2eq is not null
         and array_position(get_results_summary.exclude_modules, sums.module_type_id) is null
    ),

    compared as (
      select emitted.module_type_id, fte.value as fte,
          emitted.kg_co2eq, previous.kg_co2eq as previous_kg_co2eq
        from emitted
       cross join fte
        left join previous on previous.module_type_id = emitted.module_type_id
      union all
      select null, fte.value,
          (select sum(emitted.kg_co2eq) from emitted), (select sum(previous.kg_co2eq) from previous)
        from fte
    ),

    told as (
      select compared.module_type_id, jsonb_build_object(
          'total_tonnes_co2eq', compared.kg_co2eq / 1000,
          'total_fte', case when coalesce(compared.module_type_id, 1) = 1 then compared.fte end,
          'tonnes_co2eq_per_fte', case when compared.fte > 0 then compared.kg_co2eq / 1000 / compared.fte end,
          'equivalent_car_km', compared.kg_co2eq / car,
          'previous_year_total_tonnes_co2eq', compared.previous_kg_co2eq / 1000,
          'year_comparison_percentage', case
            when compared.previous_kg_co2eq > 0
              then (compared.kg_co2eq - compared.previous_kg_co2eq) / compared.previous_kg_co2eq * 100
          end
        ) as figures
        from compared
    )

    select jsonb_build_object(
        'unit_totals', (select told.figures from told where told.module_type_id is null),
        'co2_per_km_kg', car,
        'module_results', (
          select coalesce(jsonb_agg(jsonb_build_object('module_type_id', told.module_type_id) || told.figures
              order by told.module_type_id), '[]')
            from told
           where told.module_type_id is not null
        )
      )
  );
end;
$$;

comment on function public.get_results_summary(bigint, bigint[]) is
'The results of a carbon report, by module, in kilometres of a car and compared with the previous year.';

grant execute on function public.get_results_summary(bigint, bigint[]) to pgreprise_api, pgreprise_dba;
