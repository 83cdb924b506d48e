-- lock_host_runs_of_act(act): locks the runs that an act has added to the application's own tables of runs, so that the
-- application cannot write them before an undo has removed them: that of the report, then those of the simulations by
-- id. The caller has locked those. To be called only where pgreprise.setting.has_run_tables.
create or replace function pgreprise.lock_host_runs_of_act(act pgreprise.rerun)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  added record;
begin
  for added in
    select host_run.row_kind, host_run.row_id, host_run.host_run_id, host_run.host_run_sequence
      from (
        select 'report' as row_kind, (lock_host_runs_of_act.act).report_id as row_id,
            (lock_host_runs_of_act.act).run_sequence as run_sequence
        union all
        select 'simulation', started.simulation_id, started.run_sequence
          from unnest((lock_host_runs_of_act.act).simulation_ids, (lock_host_runs_of_act.act).simulation_run_sequences)
            as started(simulation_id, run_sequence)
      ) as started
      join pgreprise.host_run as host_run
        on host_run.row_kind = started.row_kind
       and host_run.row_id = started.row_id
       and host_run.run_sequence = started.run_sequence
     where host_run.removed is null
     order by host_run.row_kind, host_run.row_id
  loop
    if added.row_kind = 'report' then
      perform from public.report_output_runs as run
        where run.report_output_id = own.added.row_id
          and run.run_sequence = own.added.host_run_sequence
          and run.id = own.added.host_run_id
          for update;
    else
      perform from public.simulation_runs as run
        where run.simulation_id = own.added.row_id
          and run.run_sequence = own.added.host_run_sequence
          and run.id = own.added.host_run_id
          for update;
    end if;
  end loop;
end;
$$;

comment on function pgreprise.lock_host_runs_of_act(pgreprise.rerun) is
'Locks the runs that an act has added to the application''s own tables of runs.';
