-- purgeable_reruns(older_than, keep_last, after_rerun_id, max_rows): the ids of the acts whose archived outputs a
-- purge may delete, in order. They are older than older_than, and the run that they ended is not one of the newest
-- keep_last runs of its report that have an archived output. For acts without a report (reset_simulation,
-- delete_reform_impacts) only the age counts.
create or replace function pgreprise.purgeable_reruns(
  older_than interval, keep_last integer, after_rerun_id bigint default 0, max_rows bigint default null
)
returns setof bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- A day has 24 hours, also where the session's time zone has moved its clocks since.
set timezone = 'UTC'
as $$
begin
  return query
    select act.rerun_id
      from pgreprise.rerun as act
     where act.rerun_id > purgeable_reruns.after_rerun_id
       and act.is_archived
       and act.purged_at is null
       and act.created_at < now() - purgeable_reruns.older_than
       and (
         act.report_id is null
         -- An act ends the run before the one that it starts.
         or purgeable_reruns.keep_last <= (
           select count(*)
             from (
               select from pgreprise.report_run as newer
                where newer.report_id = act.report_id
                  and newer.run_sequence >= act.run_sequence
                  and newer.output is not null
                limit purgeable_reruns.keep_last
             ) as newer
         )
       )
     order by act.rerun_id
     limit purgeable_reruns.max_rows;
end;
$$;

comment on function pgreprise.purgeable_reruns(interval, integer, bigint, bigint) is
'The acts whose archived outputs a purge may delete.';
