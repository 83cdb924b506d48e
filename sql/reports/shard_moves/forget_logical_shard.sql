-- forget_logical_shard(logical_shard): drops what is kept of a logical shard that has moved to another server.
-- Raises 55000 when it has not left, or when a reader of the feed has not read all of its acts.
create or replace function pgreprise.forget_logical_shard(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  behind record;
begin
  perform pgreprise.require_state(forget_logical_shard.logical_shard, array['left'], 'be forgotten');
  select reader.reader, reader.feed_position into behind
    from pgreprise.feed_reader as reader
   where reader.feed_position < (
     select max(act.feed_position)
       from pgreprise.left_act as act
      where act.logical_shard = forget_logical_shard.logical_shard
   )
   limit 1;
  if found then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Reader %s of the feed has not read all acts of logical shard %s yet.', behind.reader,
        forget_logical_shard.logical_shard),
      detail = jsonb_build_object('reader', behind.reader, 'feed_position', behind.feed_position),
      hint = 'Nothing was changed. Let it read on first.';
  end if;
  perform pgreprise.drop_kept(forget_logical_shard.logical_shard);
  delete from pgreprise.left_act as act where act.logical_shard = forget_logical_shard.logical_shard;
  update pgreprise.logical_shard as known
     set state = 'absent', changed_at = now()
   where known.logical_shard = forget_logical_shard.logical_shard;
end;
$$;

comment on function pgreprise.forget_logical_shard(integer) is
'Drops what is kept of a logical shard that has moved to another server.';
