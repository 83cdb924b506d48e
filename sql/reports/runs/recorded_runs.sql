-- recorded_runs(report_id): the runs of a report that pgreprise knows, the current one included, and the act that
-- started each: what report_history() lists, without the application's own tables of runs. A run that was cancelled has
-- the status cancelled; report_outputs has error.
create or replace function pgreprise.recorded_runs(report_id bigint)
returns table (
  run_sequence integer,
  is_current boolean,
  status text,
  had_output boolean,
  has_output boolean,
  error_message text,
  api_version text,
  started_by text,
  rerun_id bigint,
  pending_since timestamptz,
  claimed_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer,
  wait_seconds double precision,
  run_seconds double precision,
  ended_at timestamptz,
  restores_run integer,
  undone_by bigint,
  purged_at timestamptz,
  actor text,
  session_role text,
  role_setting text,
  idempotency_key text,
  simulation_ids bigint[],
  economy_cache_rows_deleted bigint,
  batch_id bigint,
  reason text,
  request_id text,
  client_address text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with runs as (
      select report.run_sequence, true as is_current, report.status::text as status,
          report.output is not null as had_output, report.output is not null as has_output,
          report.error_message::text as error_message, report.api_version::text as api_version,
          null::timestamptz as ended_at
        from public.report_outputs as report
       where report.id = recorded_runs.report_id
      union all
      select run.run_sequence, false, run.status, run.had_output, run.output is not null, run.error_message,
          run.api_version, run.ended_at
        from pgreprise.report_run as run
       where run.report_id = recorded_runs.report_id
         -- Other runs belong to a deleted report that had this id.
         and run.run_sequence < (
           select report.run_sequence from public.report_outputs as report where report.id = recorded_runs.report_id
         )
    )

    select runs.run_sequence, runs.is_current,
        case
          when runs.status = 'error' and exists (
            select from pgreprise.rerun as cancel
             where cancel.report_id = recorded_runs.report_id
               and cancel.kind = 'cancel_run'
               and (cancel.of_run = runs.run_sequence or (
                 -- An undo has put back the result of a cancelled run, or one that had no result yet.
                 cancel.of_run = restored.restores_run and exists (
                   select from pgreprise.report_run as original
                    where original.report_id = recorded_runs.report_id
                      and original.run_sequence = restored.restores_run
                      and original.status = 'error'
                 )
               ))
          ) then 'cancelled'
          else runs.status
        end,
        runs.had_output, runs.has_output, runs.error_message,
        runs.api_version, act.kind, act.rerun_id, times.pending_since, times.claimed_at, times.started_at,
        times.finished_at, times.attempt, times.wait_seconds, times.run_seconds, runs.ended_at,
        restored.restores_run, act.undone_by,
        act.purged_at, act.actor, act.session_role, act.role_setting, act.idempotency_key, act.simulation_ids,
        act.economy_cache_rows_deleted, act.batch_id, coalesce(act.reason, batch.reason),
        act.request_id, act.client_address
      from runs
     cross join lateral pgreprise.run_times('report', recorded_runs.report_id, runs.run_sequence) as times
      left join pgreprise.rerun as act
        on act.report_id = recorded_runs.report_id and act.run_sequence = runs.run_sequence
      left join pgreprise.rerun_batch as batch on batch.batch_id = act.batch_id
      left join pgreprise.restored_run as restored
        on restored.row_kind = 'report'
       and restored.row_id = recorded_runs.report_id
       and restored.run_sequence = runs.run_sequence;
end;
$$;

comment on function pgreprise.recorded_runs(bigint) is 'The runs of a report that pgreprise knows.';
