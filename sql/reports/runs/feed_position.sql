-- feed_position(reader, shard): how far a reader of rerun_feed() is that keeps its position with keep_feed_position().
-- Returns one row: the position and what the reader has handled, both null where it never kept one, when it last did,
-- and since when the oldest act waits that it is not done with (null where none waits), also in seconds.
-- Three look-ups by key, however many acts wait. shard is null here; see rerun_feed.
-- Raises RR016 when a shard is named, RR017 when the caller's token may not read.
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
  kept   pgreprise.feed_reader;
  oldest timestamptz;
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.require_one_feed(feed_position.shard);

  select stored.* into kept from pgreprise.feed_reader as stored where stored.reader = feed_position.reader;

  -- Positions are given in the order of the acts but for a few; those that have none yet come after all others.
  select act.created_at into oldest
    from (
      select stored.feed_position, stored.created_at from pgreprise.rerun as stored
      union all
      select former.feed_position, former.created_at from pgreprise.left_act as former
    ) as act
   where act.feed_position > coalesce(kept.feed_position, 0)
   order by act.feed_position
   limit 1;
  if not found then
    select act.created_at into oldest
      from pgreprise.rerun as act
     where act.feed_position is null
     order by act.rerun_id
     limit 1;
  end if;

  return query
    select kept.feed_position, kept.handled, kept.updated_at, own.oldest,
        extract(epoch from clock_timestamp() - own.oldest)::double precision;
end;
$$;

comment on function public.feed_position(text, text) is
'How far a reader of rerun_feed() is that keeps its position here, and since when the oldest act waits for it.';

grant execute on function public.feed_position(text, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
