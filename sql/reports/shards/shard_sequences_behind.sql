-- shard_sequences_behind(has_given): as sequences_behind(), which asks here on a shard: tables in which a row of a
-- logical shard has an id that its sequence has not given yet, as after a restore, or when somebody inserts rows with
-- ids of his own. One row a table and logical shard.
create or replace function pgreprise.shard_sequences_behind(has_given bigint default 0)
returns table (
  table_name text, constraint_name text, next_id bigint, greatest_id bigint, remedy text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  first_id constant bigint := (select numbering.first_id from pgreprise.shard_numbering as numbering);
  numbered record;
begin
  for numbered in
    select listed.name, listed.key_column, primary_key.conname::text as key_name
      from (values
        ('public.simulations', 'id'), ('public.report_outputs', 'id'), ('public.reform_impact', 'reform_impact_id'),
        ('pgreprise.rerun', 'rerun_id')
      ) as listed(name, key_column)
      join pg_constraint as primary_key
        on primary_key.conrelid = listed.name::regclass and primary_key.contype = 'p'
  loop
    return query execute format(
      'select %1$L, %2$L, (last.number + 1) * 64 + last.logical_shard, last.greatest_id, '
      'format(''select setval(%%L, %%s);'', last.name, last.greatest_id / 64) '
      'from (select named.name, held.logical_shard, held.greatest_id, '
      'coalesce(pg_sequence_last_value(named.name::regclass), $1 / 64 - 1) as number '
      'from (select (stored.%3$I & 63)::integer as logical_shard, max(stored.%3$I)::bigint as greatest_id '
      'from %4$s as stored where stored.%3$I >= $1 group by 1) as held '
      'cross join lateral (select ''pgreprise.shard_ids_'' || to_char(held.logical_shard, ''fm00'')) as named(name)) '
      'as last where last.number + 1 - $2 <= last.greatest_id / 64 order by last.logical_shard',
      numbered.name, numbered.key_name, numbered.key_column, numbered.name
    ) using first_id, shard_sequences_behind.has_given;
  end loop;
end;
$$;

comment on function pgreprise.shard_sequences_behind(bigint) is
'The sequences of logical shards whose next number a row has already.';
