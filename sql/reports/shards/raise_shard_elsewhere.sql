-- raise_shard_elsewhere(logical_shard): the error of a call, or of a row, whose logical shard this server does not
-- hold, or is just giving to another one.
-- Raises RR034.
create or replace function pgreprise.raise_shard_elsewhere(logical_shard integer)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  state constant text := coalesce(
    (select known.state from pgreprise.logical_shard as known
      where known.logical_shard = raise_shard_elsewhere.logical_shard),
    'absent'
  );
begin
  raise exception using
    errcode = 'RR034',
    message = case
      when raise_shard_elsewhere.logical_shard is null then 'This server holds no logical shard. Nothing was changed.'
      when state = 'leaving' then format('Logical shard %s is being moved to another server. Nothing was changed.',
        raise_shard_elsewhere.logical_shard)
      else format('Logical shard %s is not on this server. Nothing was changed.', raise_shard_elsewhere.logical_shard)
    end,
    detail = jsonb_build_object('logical_shard', raise_shard_elsewhere.logical_shard, 'state', state),
    hint = case
      when state = 'leaving' then 'Try again when it has been moved.'
      else 'Call the router. If it sent the call, its map is older than the move: pgreprise shard map tells.'
    end;
end;
$$;

comment on function pgreprise.raise_shard_elsewhere(integer) is
'The error of a call whose logical shard this server does not hold.';
