-- shard_source(table_name, logical_shard, wanted): as shard_rows(), also for a logical shard that has left: then the
-- rows are those that are kept in pgreprise_moved.
create or replace function pgreprise.shard_source(table_name text, logical_shard integer, wanted text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from pgreprise.logical_shard as known
     where known.logical_shard = shard_source.logical_shard and known.state = 'left'
  ) then
    return format('select %s from %s as moved', shard_source.wanted,
      pgreprise.kept_table(shard_source.table_name, shard_source.logical_shard));
  end if;
  return pgreprise.shard_rows(shard_source.table_name, shard_source.logical_shard, shard_source.wanted);
end;
$$;

comment on function pgreprise.shard_source(text, integer, text) is
'A query for the rows of a logical shard, also of one that has left.';
