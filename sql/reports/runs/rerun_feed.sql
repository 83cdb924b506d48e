-- rerun_feed(after, max_rows): the acts of pgreprise.rerun after a position, oldest first: how a worker learns what
-- became pending. A consumer that keeps the position of its last row sees every act exactly once.
-- A position is given when the feed is read, to what has committed until then: an id would be given when
-- an act begins, and whoever has read past it never sees the one that commits late.
-- An act that somebody is undoing or purging at the moment comes when that has ended: no reader waits for it.
-- Read it in a transaction of its own, and keep the position after that has committed.
-- kind is rerun, reset_report, reset_simulation, delete_reform_impacts or undo; simulation_ids are those that the act
-- started a new run of. undone says that an undo has taken it back since.
-- Raises RR016 for max_rows that are not between 1 and 10000, RR017 the caller's token may not.
create or replace function public.rerun_feed(after bigint default 0, max_rows integer default 100)
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
  undone boolean
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
  if rerun_feed.max_rows is null or rerun_feed.max_rows not between 1 and 10000 then
    raise exception using
      errcode = 'RR016',
      message = 'max_rows of the feed is between 1 and 10000.',
      detail = jsonb_build_object('max_rows', rerun_feed.max_rows),
      hint = 'Read in pages: go on after the position of the last row.';
  end if;

  -- Nothing new to number: then no reader waits for another.
  if exists (select from pgreprise.rerun as act where act.feed_position is null) then
    select counter.last_position into last_position from pgreprise.rerun_feed_counter as counter for update;

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
                 -- One that an undo or a purge holds comes later; an undo of a batch takes the newest first, and
                 -- waiting for it here would be a deadlock.
                 for update skip locked
            ) as unnumbered
        ) as numbers
       where act.rerun_id = numbers.rerun_id
      returning act.feed_position
    )

    update pgreprise.rerun_feed_counter as counter
       set last_position = (select coalesce(max(numbered.feed_position), own.last_position) from numbered);
  end if;

  return query
    select act.feed_position, act.rerun_id, act.kind, act.report_id, act.country_id, act.report_type, act.run_sequence,
        act.simulation_ids, act.simulation_run_sequences, act.batch_id, act.actor, act.created_at,
        act.undone_by is not null
      from pgreprise.rerun as act
     where act.feed_position > coalesce(rerun_feed.after, 0)
     order by act.feed_position
     limit rerun_feed.max_rows;
end;
$$;

comment on function public.rerun_feed(bigint, integer) is
'The acts of reruns after a position, in an order in which none is missed; select * from rerun_feed(0).';

grant execute on function public.rerun_feed(bigint, integer) to pgreprise_api, pgreprise_dba;
