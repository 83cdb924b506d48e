-- thaw_logical_shard(logical_shard): takes freeze_logical_shard() back, before the logical shard has left.
-- Raises 55000 when it has left, or was never here.
create or replace function pgreprise.thaw_logical_shard(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if pgreprise.require_state(thaw_logical_shard.logical_shard, array['held', 'leaving'], 'stay') = 'leaving' then
    perform pgreprise.end_freeze(thaw_logical_shard.logical_shard);
    update pgreprise.logical_shard as known
       set state = 'held', changed_at = now()
     where known.logical_shard = thaw_logical_shard.logical_shard;
  end if;
end;
$$;

comment on function pgreprise.thaw_logical_shard(integer) is
'Lets rows of a logical shard be written again that was about to leave.';
