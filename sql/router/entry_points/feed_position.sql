-- feed_position(reader, shard): how far a reader of the feed of one server is; see feeds(). Without a name all are
-- asked: then the position is the smallest one, and null where the reader has none on one of them; what it has handled
-- is added up; and the oldest act that waits is that of any server.
-- Raises what it raises there, RR035 when a server cannot be reached, RR036 where no server has the name.
create or replace function public.feed_position(reader text, shard text default null)
returns table (
  feed_position bigint,
  handled bigint,
  updated_at timestamptz,
  waiting_since timestamptz,
  waiting_seconds double precision
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  place integer;
begin
  if feed_position.shard is null then
    return query
      with answers as materialized (
        select answer.feed_position, answer.handled, answer.updated_at, answer.waiting_since, answer.waiting_seconds
          from pgreprise_remote.feed_position(pgreprise.caller(), feed_position.reader, null) as answer
         where pgreprise.is_answer(answer.refusal)
      )

      select case when bool_and(answer.feed_position is not null) then min(answer.feed_position) end,
          sum(answer.handled)::bigint, max(answer.updated_at), min(answer.waiting_since), max(answer.waiting_seconds)
        from answers as answer;
    return;
  end if;

  place := pgreprise.server_of(feed_position.shard);
  return query
    select answer.feed_position, answer.handled, answer.updated_at, answer.waiting_since, answer.waiting_seconds
      from pgreprise_remote.feed_position(own.place, pgreprise.caller(), feed_position.reader, null) as answer
     where pgreprise.is_answer(answer.refusal);
exception
  when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
    perform pgreprise.raise_server_away(sqlerrm, place);
    raise;
end;
$$;
