-- rerun_history(since, until, actor, kind, country_id, report_id, batch_id, before, max_rows, rerun_id): what was done
-- to all reports and simulations, the newest act first: who did it, when, why, and from where. Each condition that is
-- given must hold; rerun_id is that act only. The next page begins before the rerun_id of the last row.
-- Changes nothing.
-- kind is rerun, reset_report, reset_simulation, delete_reform_impacts, undo, cancel_run or release_run. actor is the
-- person of the token, or where there was none the role. For reruns of a batch, reason is that of the batch. undoes is
-- the act that an undo undid; undone_by is the undo of an act.
-- Raises RR008 no such country, RR016 when max_rows is not between 1 and 1000 or kind is none of these, RR017 when the
-- caller's token may not read.
create or replace function public.rerun_history(
  since timestamptz default null,
  until timestamptz default null,
  actor text default null,
  kind text default null,
  country_id text default null,
  report_id bigint default null,
  batch_id bigint default null,
  before bigint default null,
  max_rows bigint default 100,
  rerun_id bigint default null
)
returns setof pgreprise.history_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Which conditions are given differs from call to call, and so does the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
begin
  perform pgreprise.enter('reports:read', rerun_history.country_id);
  if rerun_history.max_rows is null or rerun_history.max_rows not between 1 and 1000 then
    raise exception using
      errcode = 'RR016',
      message = 'max_rows must be between 1 and 1000.',
      detail = jsonb_build_object('max_rows', rerun_history.max_rows),
      hint = 'Read in pages: continue before the rerun_id of the last row.';
  end if;
  if rerun_history.kind not in ('rerun', 'reset_report', 'reset_simulation', 'delete_reform_impacts', 'undo',
    'cancel_run', 'release_run')
  then
    raise exception using
      errcode = 'RR016',
      message = format('There is no kind of act %s.', to_json(left(rerun_history.kind, 100))),
      detail = jsonb_build_object('kind', left(rerun_history.kind, 100)),
      hint = 'It is rerun, reset_report, reset_simulation, delete_reform_impacts, undo, cancel_run or release_run.';
  end if;

  return query
    select act.rerun_id, act.kind, act.report_id, act.country_id, act.report_type,
        coalesce(act.run_sequence, act.of_run), act.simulation_ids, act.economy_cache_rows_deleted, act.batch_id,
        act.undoes, act.undone_by, act.undone_at,
        act.purged_at, act.created_at, act.actor, act.session_role, act.role_setting,
        coalesce(act.reason, batch.reason), act.request_id, act.client_address, act.idempotency_key
      from pgreprise.rerun as act
      left join pgreprise.rerun_batch as batch on batch.batch_id = act.batch_id
     where (rerun_history.since is null or act.created_at >= rerun_history.since)
       and (rerun_history.until is null or act.created_at < rerun_history.until)
       and (
         rerun_history.actor is null
         or coalesce(act.actor, act.role_setting, act.session_role) = rerun_history.actor
       )
       and (rerun_history.kind is null or act.kind = rerun_history.kind)
       and (rerun_history.country_id is null or act.country_id = rerun_history.country_id)
       and (rerun_history.report_id is null or act.report_id = rerun_history.report_id)
       and (rerun_history.batch_id is null or act.batch_id = rerun_history.batch_id)
       and (rerun_history.rerun_id is null or act.rerun_id = rerun_history.rerun_id)
       and (rerun_history.before is null or act.rerun_id < rerun_history.before)
     order by act.rerun_id desc
     limit rerun_history.max_rows;
end;
$$;

comment on function public.rerun_history(
  timestamptz, timestamptz, text, text, text, bigint, bigint, bigint, bigint, bigint
) is
'What was done to all reports, the newest act first, by whom and why; select * from rerun_history(actor => ''ann'').';

grant execute on function public.rerun_history(
  timestamptz, timestamptz, text, text, text, bigint, bigint, bigint, bigint, bigint
) to pgreprise_reader, pgreprise_api, pgreprise_dba;
