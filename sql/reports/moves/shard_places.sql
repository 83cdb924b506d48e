-- shard_places(): the logical shards as this server knows them: the state, when it changed, how often each was moved, the
-- last number that an id of it got here, and the reports and simulations that are here. last_number is null where this
-- server has given none. No rows in a database that is no shard.
create or replace function pgreprise.shard_places()
returns table (
  logical_shard integer,
  state text,
  changed_at timestamptz,
  move_number bigint,
  last_number bigint,
  reports bigint,
  simulations bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with stored as (
      select pgreprise.id_shard('report', report.id) as logical_shard, count(*) as reports, 0::bigint as simulations
        from public.report_outputs as report
       group by 1
      union all
      select pgreprise.id_shard('simulation', simulation.id), 0, count(*)
        from public.simulations as simulation
       group by 1
    )

    select known.logical_shard, known.state, known.changed_at, known.move_number,
        pg_sequence_last_value(format('pgreprise.shard_ids_%s', to_char(known.logical_shard, 'fm00'))::regclass),
        coalesce(sum(stored.reports), 0)::bigint, coalesce(sum(stored.simulations), 0)::bigint
      from pgreprise.logical_shard as known
      left join stored on stored.logical_shard = known.logical_shard
     group by known.logical_shard
     order by known.logical_shard;
end;
$$;

comment on function pgreprise.shard_places() is 'The logical shards as this server knows them.';
