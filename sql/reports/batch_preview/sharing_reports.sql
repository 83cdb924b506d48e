-- sharing_reports(reports): the other reports that share a simulation or an economy cache key with these. When these
-- are rerun, the simulations of the others are computed anew, and the others find no cache row until then. These must
-- be reports that can be rerun.
create or replace function pgreprise.sharing_reports(reports pgreprise.linked_report[])
returns table (report_id bigint, shares_simulation boolean, shares_cache_key boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_custom_plan'
as $$
begin
  return query
    with used as (
      select distinct linked.simulation_id
        from unnest(sharing_reports.reports) as report
       cross join lateral unnest(report.simulation_ids) as linked(simulation_id)
    ),

    sharing as (
      select report.id::bigint as report_id, true as by_simulation
        from used
        join public.report_outputs as report on report.simulation_1_id = used.simulation_id
      union all
      select report.id::bigint, true
        from used
        join public.report_outputs as report on report.simulation_2_id = used.simulation_id
      union all
      select keyed.report_id, false
        from pgreprise.cache_key_reports(array(
          select distinct report.cache_key
            from unnest(sharing_reports.reports) as report
           where report.report_type = 'geography'
        )) as keyed
    )

    select sharing.report_id, bool_or(sharing.by_simulation), not bool_and(sharing.by_simulation)
      from sharing
     where not exists (
       select from unnest(sharing_reports.reports) as report
        where report.report_id = sharing.report_id
     )
     group by sharing.report_id;
end;
$$;

comment on function pgreprise.sharing_reports(pgreprise.linked_report[]) is
'The other reports that share a simulation or an economy cache key with these.';
