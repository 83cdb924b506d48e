-- host_run_times(row_kind, row_id, run_sequence): the times of the application's own run that belongs to a run of ours:
-- the one that its act added, or the one that the next act ended, or for the current run the active or newest one. No
-- row where there is none.
-- To be called only where pgreprise.setting.has_run_tables; a null calls nothing.
create or replace function pgreprise.host_run_times(row_kind text, row_id bigint, run_sequence integer)
returns table (host_run_id text, requested_at timestamptz, started_at timestamptz, finished_at timestamptz)
language plpgsql
stable
strict
set search_path = pg_catalog, pg_temp
-- The application's times are UTC, with or without a zone of their own.
set timezone = 'UTC'
as $$
<<own>>
declare
  own_id text := coalesce(
    (
      select started.host_run_id
        from pgreprise.host_run as started
       where started.row_kind = host_run_times.row_kind
         and started.row_id = host_run_times.row_id
         and started.run_sequence = host_run_times.run_sequence
    ),
    (
      select ended.ended_host_run_id
        from pgreprise.host_run as ended
       where ended.row_kind = host_run_times.row_kind
         and ended.row_id = host_run_times.row_id
         and ended.run_sequence = host_run_times.run_sequence + 1
    )
  );
begin
  if host_run_times.row_kind = 'report' then
    return query
      select run.id::text, run.requested_at::timestamptz, run.started_at::timestamptz, run.finished_at::timestamptz
        from public.report_outputs as report
        join public.report_output_runs as run on run.report_output_id = report.id
       where report.id = host_run_times.row_id
         and (run.id::text = own.own_id
           or (own.own_id is null and report.run_sequence = host_run_times.run_sequence
             and coalesce(report.active_run_id, run.id) = run.id))
       order by run.run_sequence desc
       limit 1;
  else
    return query
      select run.id::text, run.requested_at::timestamptz, run.started_at::timestamptz, run.finished_at::timestamptz
        from public.simulations as simulation
        join public.simulation_runs as run on run.simulation_id = simulation.id
       where simulation.id = host_run_times.row_id
         and (run.id::text = own.own_id
           or (own.own_id is null and simulation.run_sequence = host_run_times.run_sequence
             and coalesce(simulation.active_run_id, run.id) = run.id))
       order by run.run_sequence desc
       limit 1;
  end if;
end;
$$;

comment on function pgreprise.host_run_times(text, bigint, integer) is
'The times of the application''s own run that belongs to a run of ours.';
