-- number_leaving_acts(logical_shard): gives each act of a logical shard that leaves its position in the feed of this
-- server, where readers go on reading it. Nobody writes its acts any more, so none is added later.
create or replace function pgreprise.number_leaving_acts(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  last_position bigint;
begin
  select counter.last_position into last_position from pgreprise.rerun_feed_counter as counter for no key update;
  -- Not before: until its acts have positions, rerun_feed() gives them some.
  perform pgreprise.guard_table('pgreprise.rerun');

  perform set_config('pgreprise.leaving_shard', number_leaving_acts.logical_shard::text, true);
  with numbered as (
    update pgreprise.rerun as act
       set feed_position = own.last_position + numbers.place
      from (
        select waiting.rerun_id, row_number() over (order by waiting.rerun_id) as place
          from pgreprise.rerun as waiting
         where waiting.feed_position is null
           and pgreprise.id_shard('rerun', waiting.rerun_id) = number_leaving_acts.logical_shard
      ) as numbers
     where act.rerun_id = numbers.rerun_id
    returning act.feed_position
  )

  update pgreprise.rerun_feed_counter as counter
     set last_position = (select coalesce(max(numbered.feed_position), own.last_position) from numbered);
end;
$$;

comment on function pgreprise.number_leaving_acts(integer) is
'Gives each act of a logical shard that leaves its position in the feed of this server.';
