-- archive_simulations(simulation_ids, keep_outputs): write down the current run of simulations, as it is now, in
-- simulation_run; the caller holds their locks and ends that run. Without keep_outputs the output is left out.
create or replace function pgreprise.archive_simulations(simulation_ids bigint[], keep_outputs boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgreprise.simulation_run as run
    (simulation_id, run_sequence, api_version, status, output, had_output, error_message)
  select simulation.id, simulation.run_sequence, simulation.api_version, simulation.status,
      case when archive_simulations.keep_outputs then simulation.output::json end, simulation.output is not null,
      simulation.error_message
    from public.simulations as simulation
   where simulation.id = any (archive_simulations.simulation_ids);
end;
$$;

comment on function pgreprise.archive_simulations(bigint[], boolean) is
'Writes down the current run of simulations, which the caller is about to end.';
