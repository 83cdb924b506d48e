-- redirect_shard(logical_shard, went_to): a logical shard that has left, but has arrived nowhere, goes to a server that
-- it did not leave for. Whoever calls it has made sure that no other server holds it.
-- Raises 55000 when the logical shard has not left.
create or replace function pgreprise.redirect_shard(logical_shard integer, went_to text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  update pgreprise.logical_shard as known
     set went_to = redirect_shard.went_to
   where known.logical_shard = redirect_shard.logical_shard and known.state = 'left';
  if not found then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Logical shard %s has not left this server.', redirect_shard.logical_shard),
      detail = jsonb_build_object('logical_shard', redirect_shard.logical_shard),
      hint = 'pgreprise shard map shows where it is.';
  end if;
end;
$$;

comment on function pgreprise.redirect_shard(integer, text) is
'Lets a logical shard that has left, but has arrived nowhere, go to another server.';
