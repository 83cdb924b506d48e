-- reset_simulations(simulation_ids, package_version, keep_outputs): as reset_reports, for simulations; they
-- also get the package version, where it is known. The caller holds the locks.
create or replace function pgreprise.reset_simulations(
  simulation_ids bigint[], package_version text, keep_outputs boolean
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.archive_simulations(reset_simulations.simulation_ids, reset_simulations.keep_outputs);

  update public.simulations as simulation
     set status = 'pending',
         output = null,
         error_message = null,
         api_version = coalesce(reset_simulations.package_version, simulation.api_version),
         run_sequence = simulation.run_sequence + 1
   where simulation.id = any (reset_simulations.simulation_ids);
end;
$$;

comment on function pgreprise.reset_simulations(bigint[], text, boolean) is
'Archives the current run of simulations and starts the next, pending.';
