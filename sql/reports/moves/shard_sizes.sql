-- shard_sizes(): how many reports and simulations of each logical shard are here. It reads both tables.
create or replace function pgreprise.shard_sizes()
returns table (logical_shard integer, reports bigint, simulations bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select counted.logical_shard, sum(counted.reports)::bigint, sum(counted.simulations)::bigint
      from (
        select pgreprise.id_shard('report', report.id) as logical_shard, count(*) as reports, 0 as simulations
          from public.report_outputs as report
         group by 1
        union all
        select pgreprise.id_shard('simulation', simulation.id), 0, count(*)
          from public.simulations as simulation
         group by 1
      ) as counted
     group by counted.logical_shard
     order by counted.logical_shard;
end;
$$;

comment on function pgreprise.shard_sizes() is 'How many reports and simulations of each logical shard are here.';
