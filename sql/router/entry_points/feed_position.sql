-- feed_position(reader, shard): how far a reader of the feed of the server of this name is; it is kept there.
-- Raises what it raises there, RR035 when the server cannot be reached, RR036 where no server has the name.
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
declare
  place constant integer := pgreprise.server_of(feed_position.shard);
begin
  return query
    select answer.feed_position, answer.handled, answer.updated_at, answer.waiting_since, answer.waiting_seconds
      from pgreprise_remote.feed_position(place, pgreprise.caller(), feed_position.reader, null) as answer
     where pgreprise.is_answer(answer.refusal);
exception
  when internal_error then
    perform pgreprise.raise_server_away(sqlerrm, place);
    raise;
end;
$$;
