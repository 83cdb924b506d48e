-- carbon_stats_differences(max_rows, unit_id): where the column stats of modules and reports is not what their rows add
-- up to, in the units that the caller may view, or in one of them. A report is compared with the stats of its modules.
-- Changes nothing. All entries of these units are read, however few rows are wanted: minutes for thousands of units.
-- Returns carbon_report_id, module_type_id (null for the report itself), figure (its path in stats, or 'stats' where
-- nothing is stored though there are entries), stored, computed; one row for each module or report, with its
-- total if that differs, or else its first figure that does.
-- Raises RR017; RC001 no such unit, RC002 when the caller may not view the unit that is given.
create or replace function public.carbon_stats_differences(max_rows bigint default 100, unit_id bigint default null)
returns table (
  carbon_report_id bigint, module_type_id bigint, figure text, stored double precision, computed double precision
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Whether every unit is compared differs from call to call, and so does the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  unit_ids bigint[];
begin
  perform pgreprise.enter('reports:read');
  unit_ids := pgreprise.viewable_unit_ids(carbon_stats_differences.unit_id);

  return query
    select distinct on (differing.report_id, differing.type_id) differing.report_id, differing.type_id,
        differing.figure, differing.stored, differing.computed
      from (
        select module.carbon_report_id::bigint as report_id, module.module_type_id::bigint as type_id, compared.figure,
            compared.stored, compared.computed
          from public.carbon_reports as report
          join public.carbon_report_modules as module on module.carbon_report_id = report.id
         cross join lateral (
           select pgreprise.as_jsonb(module.stats::json) as stored,
               pgreprise.carbon_module_stats(module.carbon_report_id, module.module_type_id,
                 to_timestamp(0))::jsonb as computed
         ) as stats
         cross join lateral (
           select 'stats' as figure, null as stored, (stats.computed ->> 'total')::double precision as computed
            where coalesce(jsonb_typeof(stats.stored), 'null') = 'null'
              and (stats.computed ->> 'entry_count')::bigint > 0
           union all
           select different.figure, different.stored_value, different.computed_value
             from pgreprise.different_figures(stats.stored, stats.computed) as different
            where coalesce(jsonb_typeof(stats.stored), 'null') <> 'null'
         ) as compared(figure, stored, computed)
         where (unit_ids is null or report.unit_id = any (unit_ids))
           and (coalesce(jsonb_typeof(stats.stored), 'null') <> 'null'
             or exists (select from public.data_entries as entry where entry.carbon_report_module_id = module.id))
        union all
        select report.id::bigint, null, different.figure, different.stored_value, different.computed_value
          from public.carbon_reports as report
         cross join lateral pgreprise.different_figures(pgreprise.as_jsonb(report.stats::json),
           pgreprise.carbon_report_stats(report.id, to_timestamp(0))::jsonb) as different
         where (unit_ids is null or report.unit_id = any (unit_ids))
           and coalesce(jsonb_typeof(pgreprise.as_jsonb(report.stats::json)), 'null') <> 'null'
      ) as differing
     order by differing.report_id, differing.type_id, differing.figure <> 'total', differing.figure
     limit greatest(carbon_stats_differences.max_rows, 0);
end;
$$;

comment on function public.carbon_stats_differences(bigint, bigint) is
'Where the stored stats of carbon modules and reports are not what their rows add up to.';

grant execute on function public.carbon_stats_differences(bigint, bigint) to pgreprise_api, pgreprise_dba;
