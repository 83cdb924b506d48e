-- shard_tables(): the tables whose rows lie on the server that holds their logical shard, in the order in which a move
-- inserts them. kind and id_column say which id tells the logical shard of a row (id_shard); kind is null where a
-- column row_kind names it, and id_column where no single id does. shard_expression is the logical shard of a row of
-- the table, which is called moved. columns are those that a move copies: all but generated ones, by name, with their
-- types. The application's own tables of runs are among them where reruns write them.
create or replace function pgreprise.shard_tables()
returns table (
  place bigint, table_name text, kind text, id_column text, shard_expression text, columns text[], types text[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select listed.place, listed.table_name, listed.kind, listed.id_column,
        case
          when listed.expression is not null then listed.expression
          when listed.kind is null then format('pgreprise.id_shard(moved.row_kind, moved.%I)', listed.id_column)
          else format('pgreprise.id_shard(%L, moved.%I)', listed.kind, listed.id_column)
        end,
        stored.columns, stored.types
      from unnest(
        array[
          'public.simulations', 'public.report_outputs', 'public.reform_impact', 'public.report_output_runs',
          'public.simulation_runs', 'pgreprise.simulation_run', 'pgreprise.report_run',
          'pgreprise.reform_impact_archive', 'pgreprise.restored_run', 'pgreprise.host_run', 'pgreprise.run_time',
          'pgreprise.claim', 'pgreprise.claim_simulation', 'pgreprise.retry', 'pgreprise.rerun_batch_item',
          'pgreprise.rerun_batch_simulation', 'pgreprise.rerun_batch_cache_key', 'pgreprise.simulation_key',
          'pgreprise.report_key', 'pgreprise.rerun', 'pgreprise.rerun_key'
        ],
        array[
          'simulation', 'report', 'reform_impact', 'report', 'simulation', 'simulation', 'report', 'reform_impact',
          null, null, null, 'report', 'simulation', 'report', 'report', 'simulation', null, null, 'simulation',
          'rerun', 'rerun'
        ],
        array[
          'id', 'id', 'reform_impact_id', 'report_output_id', 'simulation_id', 'simulation_id', 'report_id',
          'reform_impact_id', 'row_id', 'row_id', 'row_id', 'report_id', 'simulation_id', 'report_id', 'report_id',
          'simulation_id', null, null, null, 'rerun_id', null
        ],
        array[
          null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
          'pgreprise.population_shard(moved.country_id, moved.region)',
          'pgreprise.population_shard(moved.country_id, moved.population_id)',
          'pgreprise.id_shard(''simulation'', moved.simulation_1_id)', null,
          -- The keys of batches are those of a server.
          'case when moved.kind in (''rerun'', ''undo'', ''cancel_run'', ''release_run'') '
          || 'then pgreprise.id_shard(''rerun'', moved.made_id) end'
        ]
      ) with ordinality as listed(table_name, kind, id_column, expression, place)
     cross join lateral (
       select array_agg(attribute.attname::text order by attribute.attname) as columns,
           array_agg(format_type(attribute.atttypid, attribute.atttypmod) order by attribute.attname) as types
         from pg_attribute as attribute
        where attribute.attrelid = to_regclass(listed.table_name)
          and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = ''
     ) as stored
     where listed.table_name not in ('public.report_output_runs', 'public.simulation_runs')
        or (select setting.has_run_tables from pgreprise.setting as setting)
     order by listed.place;
end;
$$;

comment on function pgreprise.shard_tables() is
'The tables whose rows lie on the server that holds their logical shard, and how a row tells it.';
