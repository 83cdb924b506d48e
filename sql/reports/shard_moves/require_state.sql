-- require_state(logical_shard, states, what): locks a logical shard, and says its state, which must be one of these.
-- Raises 55000 otherwise, where the database is no shard, too.
create or replace function pgreprise.require_state(logical_shard integer, states text[], what text)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  found_state text;
begin
  select known.state into found_state
    from pgreprise.logical_shard as known
   where known.logical_shard = require_state.logical_shard
     for update;
  if found_state is null or found_state <> all (require_state.states) then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Logical shard %s cannot %s: %s.', require_state.logical_shard, require_state.what,
        case when found_state is null then 'this server does not know it'
          else 'its state here is ' || found_state end),
      detail = jsonb_build_object('logical_shard', require_state.logical_shard, 'state', found_state),
      hint = 'Nothing was changed. See where it is: pgreprise shard map';
  end if;
  return found_state;
end;
$$;

comment on function pgreprise.require_state(integer, text[], text) is
'Locks a logical shard, and says its state, which must be one of these.';
