-- rerun_batch_obstacles(batch_id, before_rerun_id, max_rows): the reruns of a batch that are not undone yet, newest
-- first, as undo_rerun_batch() takes them, at most max_rows before before_rerun_id: rerun_id, report_id, the obstacle
-- in the words in which its undo is refused, or null, and can_be_forced, which is null without an obstacle.
-- A later rerun of the same batch that relies on what a rerun has reset counts only where it has an obstacle itself:
-- else it is undone before. Changes nothing and locks nothing.
-- Raises RR016 when max_rows is not between 1 and 1000, RR017 when the caller's token may not read, RR018 no such
-- batch.
create or replace function public.rerun_batch_obstacles(
  batch_id bigint, before_rerun_id bigint default null, max_rows bigint default 100
)
returns table (rerun_id bigint, report_id bigint, obstacle text, can_be_forced boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  act      pgreprise.rerun;
  later    pgreprise.rerun;
  stood    record;
  -- The reruns of this page, and those that have an obstacle.
  seen_ids bigint[] := array[]::bigint[];
  kept_ids bigint[] := array[]::bigint[];
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.require_batch(rerun_batch_obstacles.batch_id);
  perform pgreprise.check_max_rows(rerun_batch_obstacles.max_rows);

  for act in
    select found_act.*
      from pgreprise.rerun as found_act
     where found_act.batch_id = rerun_batch_obstacles.batch_id
       and found_act.undone_by is null
       and (rerun_batch_obstacles.before_rerun_id is null
         or found_act.rerun_id < rerun_batch_obstacles.before_rerun_id)
     order by found_act.rerun_id desc
     limit rerun_batch_obstacles.max_rows
  loop
    rerun_id := act.rerun_id;
    report_id := act.report_id;
    obstacle := (select defect.message from pgreprise.undo_defect(own.act) as defect);
    can_be_forced := case when obstacle is not null then false end;
    if obstacle is null then
      for stood in
        select concat_ws('; ', listed.obstacle, listed.host_obstacle) as said, listed.kind, listed.ids[1] as first_id,
            listed.is_impossible
          from pgreprise.undo_obstacles(own.act) as listed
         where listed.obstacle is not null or listed.host_obstacle is not null
      loop
        if stood.kind = 'rerun' and stood.first_id <> all (kept_ids) then
          continue when stood.first_id = any (seen_ids);
          -- It was on an earlier page.
          select found_act.* into later from pgreprise.rerun as found_act where found_act.rerun_id = own.stood.first_id;
          continue when not exists (select from pgreprise.undo_defect(own.later) as defect)
            and not exists (
              select from pgreprise.undo_obstacles(own.later) as listed
               where listed.kind <> 'rerun' and (listed.obstacle is not null or listed.host_obstacle is not null)
            );
        end if;
        obstacle := concat_ws('; ', obstacle, stood.said);
        can_be_forced := coalesce(can_be_forced, true) and not stood.is_impossible;
      end loop;
    end if;
    seen_ids := seen_ids || act.rerun_id;
    if obstacle is not null then
      kept_ids := kept_ids || act.rerun_id;
    end if;
    return next;
  end loop;
end;
$$;

comment on function public.rerun_batch_obstacles(bigint, bigint, bigint) is
'What stands in the way of undoing the reruns of a batch, newest first; select * from rerun_batch_obstacles(3).';

grant execute on function public.rerun_batch_obstacles(bigint, bigint, bigint)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
