-- shard_places(): the logical shards as this server knows them: the state, when it changed, how often each was moved,
-- the last number that an id of it got here, null where this server has given none, and the server for which it left,
-- null where it is here or never was. No rows in a database that is no shard.
create or replace function pgreprise.shard_places()
returns table (
  logical_shard integer, state text, changed_at timestamptz, move_number bigint, last_number bigint,
  went_to text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select known.logical_shard, known.state, known.changed_at, known.move_number,
        pg_sequence_last_value(format('pgreprise.shard_ids_%s', to_char(known.logical_shard, 'fm00'))::regclass),
        known.went_to
      from pgreprise.logical_shard as known
     order by known.logical_shard;
end;
$$;

comment on function pgreprise.shard_places() is 'The logical shards as this server knows them.';
