-- rerun_feed(after, max_rows, shard): the acts of pgreprise.rerun after a position, oldest first. Workers read here
-- what has become pending. A reader that keeps the position of its last row sees every act exactly once. An act gets
-- its position when the feed is read and the act has committed. Its id would not do: an act gets its id when it begins,
-- and readers that have already read a larger id would never see an act that commits late. An act that somebody is
-- undoing or purging at the moment comes later, when that has ended: no reader waits for it. Read the feed in a
-- transaction of its own, and keep the position after that has committed. kind is rerun, reset_report,
-- reset_simulation, delete_reform_impacts, undo, cancel_run or release_run. simulation_ids are the simulations of which
-- the act started a new run. undone tells whether an undo has undone the act. cache_scopes are the scopes of the
-- economy cache that the act emptied (cache_scope), for caches outside the database. shard names the server whose feed
-- it is, where there are several, behind a router; here it is null.
-- Raises RR016 when max_rows is not between 1 and 10000 or a shard is named, RR017 when the caller's token may not
-- read.
create or replace function public.rerun_feed(
  after bigint default 0, max_rows integer default 100, shard text default null
)
returns table (
  feed_position bigint,
  rerun_id bigint,
  kind text,
  report_id bigint,
  country_id text,
  report_type text,
  run_sequence integer,
  simulation_ids bigint[],
  simulation_run_sequences integer[],
  batch_id bigint,
  actor text,
  created_at timestamptz,
  undone boolean,
  cache_scopes jsonb
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  last_position bigint;
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.require_one_feed(rerun_feed.shard);
  if rerun_feed.max_rows is null or rerun_feed.max_rows not between 1 and 10000 then
    raise exception using
      errcode = 'RR016',
      message = 'max_rows must be between 1 and 10000.',
      detail = jsonb_build_object('max_rows', rerun_feed.max_rows),
      hint = 'Read in pages: continue after the position of the last row.';
  end if;

  -- Where all acts have a position, no reader waits for another.
  if exists (select from pgreprise.rerun as act where act.feed_position is null) then
    select counter.last_position into last_position from pgreprise.rerun_feed_counter as counter for no key update;

    with numbered as (
      update pgreprise.rerun as act
         set feed_position = own.last_position + numbers.place
        from (
          select unnumbered.rerun_id, row_number() over (order by unnumbered.rerun_id) as place
            from (
              select waiting.rerun_id
                from pgreprise.rerun as waiting
               where waiting.feed_position is null
               order by waiting.rerun_id
               limit 10000
                 -- An act that an undo or a purge has locked comes later. The undo of a batch locks the newest
                 -- acts first, so waiting for it here could be a deadlock.
                 for no key update skip locked
            ) as unnumbered
        ) as numbers
       where act.rerun_id = numbers.rerun_id
      returning act.feed_position
    )

    update pgreprise.rerun_feed_counter as counter
       set last_position = (select coalesce(max(numbered.feed_position), own.last_position) from numbered);
  end if;

  return query
    select act.feed_position, act.rerun_id, act.kind, act.report_id, act.country_id, act.report_type,
        coalesce(act.run_sequence, act.of_run),
        act.simulation_ids, act.simulation_run_sequences, act.batch_id, act.actor, act.created_at,
        act.undone_by is not null, act.cache_scopes
      from (
        select stored.feed_position, stored.rerun_id, stored.kind, stored.report_id, stored.country_id,
            stored.report_type, stored.run_sequence, stored.of_run, stored.simulation_ids,
            stored.simulation_run_sequences, stored.batch_id, stored.actor, stored.created_at, stored.undone_by,
            stored.cache_scopes
          from pgreprise.rerun as stored
        union all
        select former.feed_position, former.rerun_id, former.kind, former.report_id, former.country_id,
            former.report_type, former.run_sequence, former.of_run, former.simulation_ids,
            former.simulation_run_sequences, former.batch_id, former.actor, former.created_at, former.undone_by,
            former.cache_scopes
          from pgreprise.left_act as former
      ) as act
     -- Acts that came with a logical shard have positions below 0: the server that they were done on shows them.
     where act.feed_position > greatest(rerun_feed.after, 0)
     order by act.feed_position
     limit rerun_feed.max_rows;
end;
$$;

comment on function public.rerun_feed(bigint, integer, text) is
'The acts of reruns after a position, in an order in which none is missed; select * from rerun_feed(0).';

grant execute on function public.rerun_feed(bigint, integer, text) to pgreprise_api, pgreprise_dba;
