-- write_simulation_host_run(simulation_id): brings the application's own row of the current run of a simulation in
-- line with the simulation, and the pointers of the simulation with its status, as the application does. started_at is
-- set from running on, finished_at at complete and error. A run that is over is not the active one, and one that is
-- complete is the latest successful one. The current run is the active one, or the newest; without such a run nothing
-- is written.
-- Returns whether there was such a run.
-- The caller has just written the simulation. To be called only where pgreprise.setting.has_run_tables.
create or replace function pgreprise.write_simulation_host_run(simulation_id bigint)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
-- The application's times are UTC, with or without a zone of their own.
set timezone = 'UTC'
as $$
<<own>>
declare
  current_time_utc constant timestamp := date_trunc('second', clock_timestamp() at time zone 'utc');
  is_over          boolean;
  written_id       text;
begin
  update public.simulation_runs as run
     set status = simulation.status,
         output = simulation.output,
         error_message = simulation.error_message,
         started_at = case when simulation.status <> 'pending' then coalesce(run.started_at, own.current_time_utc) end,
         finished_at = case when simulation.status in ('complete', 'error')
           then coalesce(run.finished_at, own.current_time_utc) end
    from public.simulations as simulation
   where simulation.id = write_simulation_host_run.simulation_id
     and run.simulation_id = simulation.id
     and run.id = coalesce(simulation.active_run_id, (
       select newest.id
         from public.simulation_runs as newest
        where newest.simulation_id = simulation.id
        order by newest.run_sequence desc
        limit 1
     ))
     -- A run that is over belongs to an earlier result, unless finished rows may be written again.
     and (run.status not in ('complete', 'error')
       or (select setting.allow_unfinish from pgreprise.setting as setting))
  returning run.id, run.status in ('complete', 'error') into written_id, is_over;
  if not found then
    return false;
  end if;

  update public.simulations as simulation
     set active_run_id = case when not own.is_over then own.written_id end,
         latest_successful_run_id = case
           when simulation.status = 'complete' then own.written_id
           else nullif(simulation.latest_successful_run_id, own.written_id)
         end
   where simulation.id = write_simulation_host_run.simulation_id;
  if not found then
    perform pgreprise.raise_kept_rows('RR022', 'simulations', 1, 0);
  end if;
  return true;
end;
$$;

comment on function pgreprise.write_simulation_host_run(bigint) is
'Brings the application''s own row of the current run of a simulation in line with it.';
