-- keep_feed_position(reader, feed_position, handled, shard): keeps how far a reader of the feed of the server of this
-- name is, on that server.
-- Raises what it raises there, RR035 when the server cannot be reached, RR036 where no server has the name.
create or replace function public.keep_feed_position(
  reader text, feed_position bigint, handled bigint default 0, shard text default null
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  place constant integer := pgreprise.server_of(keep_feed_position.shard);
begin
  return (
    select answer.answer
      from pgreprise_remote.keep_feed_position(place, pgreprise.caller(), keep_feed_position.reader,
        keep_feed_position.feed_position, keep_feed_position.handled, null) as answer
     where pgreprise.is_answer(answer.refusal)
  );
exception
  when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
    perform pgreprise.raise_server_away(sqlerrm, place);
    raise;
end;
$$;
