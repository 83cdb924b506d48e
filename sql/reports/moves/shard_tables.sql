-- shard_tables(): the tables whose rows lie on the server that holds their logical shard, in the order in which a
-- move inserts them. kind and id_column say which id tells the logical shard of a row (id_shard); kind is null where
-- a column row_kind names it, and id_column where no single id does. has_index tells whether an index begins with the
-- id. shard_expression is the logical shard of a row of the table, which is called moved. columns are those that a
-- move copies: all but generated ones, by name, with their types.
-- The application's own tables of runs are among them where reruns write them. Batches are not: a batch is on every
-- server that has reports of it, with the counts of those.
create or replace function pgreprise.shard_tables()
returns table (
  place integer,
  table_name text,
  kind text,
  id_column text,
  has_index boolean,
  shard_expression text,
  columns text[],
  types text[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select listed.place, listed.table_name, listed.kind, listed.id_column, listed.has_index,
        case
          when listed.expression is not null then listed.expression
          when listed.kind is null then format('pgreprise.id_shard(moved.row_kind, moved.%I)', listed.id_column)
          else format('pgreprise.id_shard(%L, moved.%I)', listed.kind, listed.id_column)
        end,
        stored.columns, stored.types
      from (
        values
          (1, 'public.simulations', 'simulation', 'id', true, null),
          (2, 'public.report_outputs', 'report', 'id', true, null),
          (3, 'public.reform_impact', 'reform_impact', 'reform_impact_id', true, null),
          (4, 'public.report_output_runs', 'report', 'report_output_id', true, null),
          (5, 'public.simulation_runs', 'simulation', 'simulation_id', true, null),
          (6, 'pgreprise.simulation_run', 'simulation', 'simulation_id', true, null),
          (7, 'pgreprise.report_run', 'report', 'report_id', true, null),
          (8, 'pgreprise.reform_impact_archive', 'reform_impact', 'reform_impact_id', true, null),
          (9, 'pgreprise.restored_run', null, 'row_id', true, null),
          (10, 'pgreprise.host_run', null, 'row_id', true, null),
          (11, 'pgreprise.run_time', null, 'row_id', true, null),
          (12, 'pgreprise.claim', 'report', 'report_id', true, null),
          (13, 'pgreprise.claim_simulation', 'simulation', 'simulation_id', true, null),
          (14, 'pgreprise.retry', 'report', 'report_id', true, null),
          (15, 'pgreprise.rerun_batch_item', 'report', 'report_id', false, null),
          (16, 'pgreprise.rerun_batch_simulation', 'simulation', 'simulation_id', false, null),
          (17, 'pgreprise.rerun_batch_cache_key', null, null, false,
            'pgreprise.population_shard(moved.country_id, moved.region)'),
          (18, 'pgreprise.simulation_key', null, null, false,
            'pgreprise.population_shard(moved.country_id, moved.population_id)'),
          (19, 'pgreprise.report_key', null, null, false, 'pgreprise.id_shard(''simulation'', moved.simulation_1_id)'),
          (20, 'pgreprise.rerun', 'rerun', 'rerun_id', true, null),
          -- The keys of batches are those of a server.
          (21, 'pgreprise.rerun_key', null, null, false,
            'case when moved.kind in (''rerun'', ''undo'', ''cancel_run'', ''release_run'') '
            || 'then pgreprise.id_shard(''rerun'', moved.made_id) end')
      ) as listed(place, table_name, kind, id_column, has_index, expression)
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
