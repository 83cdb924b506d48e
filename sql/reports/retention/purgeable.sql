-- purgeable(older_than, keep_last, after_rerun_id, max_rows): the acts whose archived outputs a purge may free, by id:
-- those older than older_than, but never the newest keep_last runs of a report that hold an output. What is
-- archived without a report (reset_simulation, delete_reform_impacts) goes by age alone.
create or replace function pgreprise.purgeable(
  older_than interval, keep_last integer, after_rerun_id bigint default 0, max_rows bigint default null
)
returns setof bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select act.rerun_id
      from pgreprise.rerun as act
     where act.rerun_id > purgeable.after_rerun_id
       and act.is_archived
       and act.purged_at is null
       and act.created_at < now() - purgeable.older_than
       and (
         act.report_id is null
         -- The act ended the run before its own.
         or purgeable.keep_last <= (
           select count(*)
             from (
               select from pgreprise.report_run as newer
                where newer.report_id = act.report_id
                  and newer.run_sequence >= act.run_sequence
                  and newer.output is not null
                limit purgeable.keep_last
             ) as newer
         )
       )
     order by act.rerun_id
     limit purgeable.max_rows;
end;
$$;

comment on function pgreprise.purgeable(interval, integer, bigint, bigint) is
'The acts whose archived outputs a purge may free.';
