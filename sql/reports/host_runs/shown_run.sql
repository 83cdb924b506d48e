-- shown_run(report_id, status, active_run_id, latest_successful_run_id): when the run that the application shows with a
-- report was requested, started and finished: the active run; else, where the report is at error, the newest run that
-- is; else the latest successful run; else the newest run. No row where the application has no tables of runs, or no
-- run of the report.
-- The application's times are UTC. With this time zone they are read as they are meant, with or without a zone of
-- their own.
create or replace function pgreprise.shown_run(
  report_id bigint, status text, active_run_id text, latest_successful_run_id text
)
returns table (requested_at timestamptz, started_at timestamptz, finished_at timestamptz)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
begin
  if not (select setting.has_run_tables from pgreprise.setting as setting) then
    return;
  end if;

  return query
    select run.requested_at::timestamptz, run.started_at::timestamptz, run.finished_at::timestamptz
      from public.report_output_runs as run
     where run.report_output_id = shown_run.report_id
     order by
       case
         when run.id::text = shown_run.active_run_id then 1
         when shown_run.status = 'error' and run.status = 'error' then 2
         when run.id::text = shown_run.latest_successful_run_id then 3
         else 4
       end,
       run.run_sequence desc
     limit 1;
end;
$$;

comment on function pgreprise.shown_run(bigint, text, text, text) is
'The times of the run that the application shows with a report; no row without its tables of runs.';
