-- remove_host_run(row_kind, row_id, started_run, restored_run): removes the run that an act has added to the
-- application's own tables of runs when it started the run started_run of ours, keeps it in pgreprise.host_run, and
-- puts both pointers of the row back. restored_run is the run of ours that the undo has started; it belongs to the
-- application's run of before. Does nothing where the act added none.
-- The pointers come first, because they may be foreign keys to the run.
-- To be called only where pgreprise.setting.has_run_tables.
-- Raises RR021 when rows of other tables would be lost with the run, RR022 when a trigger of the host keeps a row.
create or replace function pgreprise.remove_host_run(
  row_kind text, row_id bigint, started_run integer, restored_run integer
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  added       record;
  removed_run jsonb;
begin
  select host_run.host_run_id, host_run.host_run_sequence, host_run.ended_host_run_id, host_run.active_run_id,
      host_run.latest_successful_run_id
    into added
    from pgreprise.host_run as host_run
   where host_run.row_kind = remove_host_run.row_kind
     and host_run.row_id = remove_host_run.row_id
     and host_run.run_sequence = remove_host_run.started_run
     and host_run.removed is null;
  if not found then
    return;
  end if;

  if remove_host_run.row_kind = 'report' then
    -- Only to a run that is still there.
    update public.report_outputs as report
       set active_run_id = (
             select run.id from public.report_output_runs as run
              where run.report_output_id = report.id and run.id = own.added.active_run_id
           ),
           latest_successful_run_id = (
             select run.id from public.report_output_runs as run
              where run.report_output_id = report.id and run.id = own.added.latest_successful_run_id
           )
     where report.id = remove_host_run.row_id;
    if not found then
      perform pgreprise.raise_kept_rows('RR022', 'report_outputs', 1, 0);
    end if;
    perform pgreprise.raise_lost_rows('RR021', 'report_output_runs', 'id', array[added.host_run_id]);
    delete from public.report_output_runs as run
     where run.report_output_id = remove_host_run.row_id
       and run.run_sequence = own.added.host_run_sequence
       and run.id = own.added.host_run_id
    returning jsonb_build_object('run_sequence', run.run_sequence, 'status', run.status,
        'error_message', run.error_message, 'trigger_type', run.trigger_type, 'requested_at', run.requested_at,
        'started_at', run.started_at, 'finished_at', run.finished_at, 'source_run_id', run.source_run_id)
      into removed_run;
    if exists (
      select from public.report_output_runs as run
       where run.report_output_id = remove_host_run.row_id
         and run.run_sequence = own.added.host_run_sequence
         and run.id = own.added.host_run_id
    ) then
      perform pgreprise.raise_kept_rows('RR022', 'report_output_runs', 1, 0);
    end if;
  else
    -- Only to a run that is still there.
    update public.simulations as simulation
       set active_run_id = (
             select run.id from public.simulation_runs as run
              where run.simulation_id = simulation.id and run.id = own.added.active_run_id
           ),
           latest_successful_run_id = (
             select run.id from public.simulation_runs as run
              where run.simulation_id = simulation.id and run.id = own.added.latest_successful_run_id
           )
     where simulation.id = remove_host_run.row_id;
    if not found then
      perform pgreprise.raise_kept_rows('RR022', 'simulations', 1, 0);
    end if;
    perform pgreprise.raise_lost_rows('RR021', 'simulation_runs', 'id', array[added.host_run_id]);
    delete from public.simulation_runs as run
     where run.simulation_id = remove_host_run.row_id
       and run.run_sequence = own.added.host_run_sequence
       and run.id = own.added.host_run_id
    returning jsonb_build_object('run_sequence', run.run_sequence, 'status', run.status,
        'error_message', run.error_message, 'trigger_type', run.trigger_type, 'requested_at', run.requested_at,
        'started_at', run.started_at, 'finished_at', run.finished_at, 'source_run_id', run.source_run_id,
        'report_output_run_id', run.report_output_run_id, 'input_position', run.input_position)
      into removed_run;
    if exists (
      select from public.simulation_runs as run
       where run.simulation_id = remove_host_run.row_id
         and run.run_sequence = own.added.host_run_sequence
         and run.id = own.added.host_run_id
    ) then
      perform pgreprise.raise_kept_rows('RR022', 'simulation_runs', 1, 0);
    end if;
  end if;

  update pgreprise.host_run as host_run
     set removed = coalesce(own.removed_run, '{}')
   where host_run.row_kind = remove_host_run.row_kind
     and host_run.row_id = remove_host_run.row_id
     and host_run.run_sequence = remove_host_run.started_run;
  insert into pgreprise.host_run
    (row_kind, row_id, run_sequence, host_run_id, ended_host_run_id, active_run_id, latest_successful_run_id, removed)
  values (remove_host_run.row_kind, remove_host_run.row_id, remove_host_run.restored_run, added.ended_host_run_id,
    added.host_run_id, added.active_run_id, added.latest_successful_run_id, '{}');
end;
$$;

comment on function pgreprise.remove_host_run(text, bigint, integer, integer) is
'Removes the run that an act has added to the application''s own tables of runs, and puts the pointers back.';
