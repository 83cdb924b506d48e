-- shard_tables(): what belongs to a logical shard: each table whose rows move with it, the ones that others refer to
-- first. This is the only place that says so; copying, checking, freezing and leaving ask it.
-- A table either has a column key_column with an id of a kind, which is one of id_shard() or the name of a column that
-- has it; has_index tells whether an index begins with it. Or shard is the expression that gives the logical shard of a
-- row "moved". Batches are not among them: a batch is on every server, with the counts of its reports there.
create or replace function pgreprise.shard_tables()
returns table (
  place integer, table_name text, kind text, kind_column text, key_column text, has_index boolean, shard text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select listed.place, listed.table_name, listed.kind, listed.kind_column, listed.key_column, listed.has_index,
        coalesce(listed.shard, format('pgreprise.id_shard(%s, moved.%I)',
          coalesce(quote_literal(listed.kind), format('moved.%I', listed.kind_column)), listed.key_column))
      from (values
        (1, 'public.simulations', 'simulation', null, 'id', true, null),
        (2, 'public.report_outputs', 'report', null, 'id', true, null),
        (3, 'public.report_output_runs', 'report', null, 'report_output_id', true, null),
        (4, 'public.simulation_runs', 'simulation', null, 'simulation_id', true, null),
        (5, 'public.reform_impact', 'reform_impact', null, 'reform_impact_id', true, null),
        (6, 'pgreprise.simulation_run', 'simulation', null, 'simulation_id', true, null),
        (7, 'pgreprise.report_run', 'report', null, 'report_id', true, null),
        (8, 'pgreprise.reform_impact_archive', 'reform_impact', null, 'reform_impact_id', true, null),
        (9, 'pgreprise.rerun', 'rerun', null, 'rerun_id', true, null),
        (10, 'pgreprise.rerun_key', null, null, null, false, 'case moved.kind when ''undo'' then '
          'pgreprise.id_shard(''rerun'', moved.target_id) when ''rerun_batch'' then null when ''undo_batch'' then null '
          'else pgreprise.id_shard(''report'', moved.target_id) end'),
        (11, 'pgreprise.restored_run', null, 'row_kind', 'row_id', true, null),
        (12, 'pgreprise.host_run', null, 'row_kind', 'row_id', true, null),
        (13, 'pgreprise.run_time', null, 'row_kind', 'row_id', true, null),
        (14, 'pgreprise.claim', 'report', null, 'report_id', true, null),
        (15, 'pgreprise.claim_simulation', 'simulation', null, 'simulation_id', true, null),
        (16, 'pgreprise.retry', 'report', null, 'report_id', true, null),
        (17, 'pgreprise.simulation_key', null, null, null, false,
          'pgreprise.population_shard(moved.country_id, moved.population_id)'),
        (18, 'pgreprise.report_key', 'simulation', null, 'simulation_1_id', false, null),
        (19, 'pgreprise.rerun_batch_item', 'report', null, 'report_id', false, null),
        (20, 'pgreprise.rerun_batch_simulation', 'simulation', null, 'simulation_id', false, null),
        (21, 'pgreprise.rerun_batch_cache_key', null, null, null, false,
          'pgreprise.population_shard(moved.country_id, moved.region)')
      ) as listed(place, table_name, kind, kind_column, key_column, has_index, shard)
     -- The application's own tables of runs are not everywhere.
     where to_regclass(listed.table_name) is not null
     order by listed.place;
end;
$$;

comment on function pgreprise.shard_tables() is 'What belongs to a logical shard: the tables whose rows move with it.';
