-- list_id_ranges(first_id): writes into shard_id_range in which logical shard the rows are that have ids already. Each
-- range lasts until the next begins, so that every id below first_id is in one.
-- A report belongs to its first simulation, or to the second where that one is missing, or to any; an act belongs to
-- its report, its simulations or its cache rows.
create or replace function pgreprise.list_id_ranges(first_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  with simulation as (
    select stored.id::bigint as id, pgreprise.population_shard(stored.country_id, stored.population_id) as shard
      from public.simulations as stored
  ),

  report as (
    select stored.id::bigint as id,
        coalesce(first.shard, second.shard, (stored.simulation_1_id & 63)::integer) as shard
      from public.report_outputs as stored
      left join simulation as first on first.id = stored.simulation_1_id
      left join simulation as second on second.id = stored.simulation_2_id
  ),

  impact as (
    select stored.reform_impact_id::bigint as id, pgreprise.population_shard(stored.country_id, stored.region) as shard
      from public.reform_impact as stored
    union
    select archived.reform_impact_id, pgreprise.population_shard(archived.country_id, archived.region)
      from pgreprise.reform_impact_archive as archived
  ),

  act as (
    select stored.rerun_id as id,
        coalesce(report.shard, simulation.shard, impact.shard,
          pgreprise.population_shard(stored.country_id, stored.cache_scopes -> 0 ->> 'region'),
          (stored.rerun_id & 63)::integer) as shard
      from pgreprise.rerun as stored
      left join report on report.id = stored.report_id
      left join simulation on simulation.id = stored.simulation_ids[1]
      left join impact on impact.id = stored.reform_impact_ids[1]
  ),

  numbered as (
    select 'simulation' as kind, simulation.id, simulation.shard from simulation
    union all
    select 'report', report.id, report.shard from report
    union all
    select 'reform_impact', impact.id, impact.shard from impact
    union all
    select 'rerun', act.id, act.shard from act
    -- Where there is no row at all, so that every id has a logical shard.
    union all
    select kind.name, null, 0 from unnest(array['report', 'simulation', 'reform_impact', 'rerun']) as kind(name)
  ),

  compared as (
    select numbered.kind, numbered.id, numbered.shard,
        lag(numbered.shard) over islands as earlier_shard,
        row_number() over islands = 1 as is_first
      from numbered
    window islands as (partition by numbered.kind order by numbered.id nulls last)
  ),

  beginning as (
    select compared.kind, compared.shard,
        case when compared.is_first then least(0, compared.id) else compared.id end as first_id
      from compared
     where compared.is_first or (compared.shard <> compared.earlier_shard and compared.id is not null)
  )

  insert into pgreprise.shard_id_range (kind, first_id, last_id, logical_shard)
  select beginning.kind, beginning.first_id,
      lead(beginning.first_id, 1, list_id_ranges.first_id)
        over (partition by beginning.kind order by beginning.first_id) - 1,
      beginning.shard
    from beginning;
end;
$$;

comment on function pgreprise.list_id_ranges(bigint) is
'Lists in which logical shard the rows are that have ids already.';
