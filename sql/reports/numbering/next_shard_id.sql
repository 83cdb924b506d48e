-- next_shard_id(logical_shard): the next id of a logical shard, for a row of any kind: a number of its sequence times
-- 64, and the logical shard. Null means any logical shard that is held here.
-- Raises RR034 when this server does not hold the logical shard, or is just giving it away.
create or replace function pgreprise.next_shard_id(logical_shard integer)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  held integer;
begin
  select min(known.logical_shard) into held
    from pgreprise.logical_shard as known
   where known.state = 'held'
     and (next_shard_id.logical_shard is null or known.logical_shard = next_shard_id.logical_shard);
  if held is null then
    perform pgreprise.raise_shard_elsewhere(next_shard_id.logical_shard);
  end if;
  return nextval(format('pgreprise.shard_ids_%s', to_char(held, 'fm00'))::regclass) * 64 + held;
end;
$$;

comment on function pgreprise.next_shard_id(integer) is 'The next id of a logical shard, for a row of any kind.';
