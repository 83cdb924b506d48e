-- report_history(report_id, country_id): the runs of a report, newest first, with the current one. A run ended when the
-- act of the next run was done. Changes nothing.
-- pending_since, claimed_at, started_at, finished_at, attempt, wait_seconds and run_seconds are those of run_times().
-- status is that of the run, and cancelled for one that was cancelled.
-- started_by: rerun, reset_report or undo, null for the first run. restores_run: the run whose result an undo put back.
-- Where the application has tables of runs of its own, host_run_id and host_run_sequence name its run, and the runs
-- that it made without pgreprise come last: they have no run_sequence, and started_by is what the application wrote.
-- has_output: report_run_output() returns the output. had_output without has_output: the output was purged, or it was
-- not archived.
-- Raises RR001 no such report, RR008 no such country, RR017 the caller's token may not read.
create or replace function public.report_history(report_id bigint, country_id text default null)
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
  client_address text,
  host_run_id text,
  host_run_sequence integer
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- The application's times are UTC, with or without a zone of their own.
set timezone = 'UTC'
as $$
begin
  perform pgreprise.enter('reports:read', report_history.country_id);
  perform from pgreprise.stored_report(report_history.report_id, report_history.country_id);
  if not found then
    perform pgreprise.raise_not_found('report', report_history.report_id, report_history.country_id);
  end if;

  if not (select setting.has_run_tables from pgreprise.setting as setting) then
    return query
      select recorded.*, null::text, null::integer
        from pgreprise.recorded_runs(report_history.report_id) as recorded
       order by recorded.run_sequence desc;
    return;
  end if;

  return query
    with own_run as (
      select host.id::text as id, host.run_sequence, host.status, host.output is not null as has_output,
          host.error_message, host.report_cache_version, host.trigger_type, host.requested_at, host.started_at,
          host.finished_at
        from public.report_output_runs as host
       where host.report_output_id = report_history.report_id
    ),

    -- The application's run of a run of ours: the one that its act added, or the one that the next act ended, or the
    -- newest.
    recorded as (
      select known.*, coalesce(
          (
            select started.host_run_id
              from pgreprise.host_run as started
             where started.row_kind = 'report'
               and started.row_id = report_history.report_id
               and started.run_sequence = known.run_sequence
          ),
          (
            select ended.ended_host_run_id
              from pgreprise.host_run as ended
             where ended.row_kind = 'report'
               and ended.row_id = report_history.report_id
               and ended.run_sequence = known.run_sequence + 1
          ),
          case when known.is_current then (
            select own_run.id from own_run order by own_run.run_sequence desc limit 1
          ) end
        ) as host_run_id
        from pgreprise.recorded_runs(report_history.report_id) as known
    ),

    listed as (
      select recorded.*, own_run.run_sequence as host_run_sequence
        from recorded
        left join own_run on own_run.id = recorded.host_run_id
      union all
      select null, false, own_run.status, own_run.has_output, own_run.has_output, own_run.error_message,
          own_run.report_cache_version, own_run.trigger_type, null, own_run.requested_at::timestamptz, null,
          own_run.started_at::timestamptz, own_run.finished_at::timestamptz, null,
          extract(epoch from own_run.started_at - own_run.requested_at),
          extract(epoch from own_run.finished_at - own_run.started_at),
          null, null, null, null, null, null, null, null, null, null,
          null, null,
          null, null, own_run.id, own_run.run_sequence
        from own_run
       where not exists (select from recorded where recorded.host_run_id = own_run.id)
    )

    select listed.*
      from listed
     order by listed.run_sequence desc nulls last, listed.host_run_sequence desc;
end;
$$;

comment on function public.report_history(bigint, text) is
'The runs of a report, newest first, with the current one; select * from report_history(42).';

grant execute on function public.report_history(bigint, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
