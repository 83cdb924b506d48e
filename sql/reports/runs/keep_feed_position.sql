-- keep_feed_position(reader, feed_position, handled, shard): keeps how far a reader of rerun_feed() is, and adds what
-- it has handled since. A position never goes back: where two processes read under one name, the larger one stays.
-- Returns the position that is kept. A reader keeps it after its work, so that a crash in between repeats the work.
-- shard is null here; see rerun_feed.
-- Raises RR016 for a reader without a name, a shard that is named, and a position that the feed has not given, RR017
-- when the caller's token may not.
create or replace function public.keep_feed_position(
  reader text, feed_position bigint, handled bigint default 0, shard text default null
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  last_position bigint;
  kept_position bigint;
begin
  perform pgreprise.enter('reports:write');
  perform pgreprise.require_one_feed(keep_feed_position.shard);

  select counter.last_position into last_position from pgreprise.rerun_feed_counter as counter;
  if coalesce(keep_feed_position.reader, '') = '' or length(keep_feed_position.reader) > 255
    or keep_feed_position.feed_position is null
    or keep_feed_position.feed_position not between 0 and own.last_position
    or keep_feed_position.handled is null or keep_feed_position.handled < 0
  then
    raise exception using
      errcode = 'RR016',
      message = format('A reader has a name of 1 to 255 characters, a position from 0 to %s and a count from 0.',
        own.last_position),
      detail = jsonb_build_object('reader', keep_feed_position.reader,
        'feed_position', keep_feed_position.feed_position, 'handled', keep_feed_position.handled,
        'last_position', own.last_position),
      hint = 'Nothing was changed. Keep the feed_position of the last row of rerun_feed() that is done.';
  end if;

  insert into pgreprise.feed_reader as kept (reader, feed_position, handled)
  values (keep_feed_position.reader, keep_feed_position.feed_position, keep_feed_position.handled)
  on conflict on constraint feed_reader_pkey do update
     set feed_position = greatest(kept.feed_position, excluded.feed_position),
         handled = kept.handled + excluded.handled,
         updated_at = now()
  returning kept.feed_position into kept_position;

  return kept_position;
end;
$$;

comment on function public.keep_feed_position(text, bigint, bigint, text) is
'Keeps how far a reader of rerun_feed() is; a position never goes back.';

grant execute on function public.keep_feed_position(text, bigint, bigint, text) to pgreprise_api, pgreprise_dba;
