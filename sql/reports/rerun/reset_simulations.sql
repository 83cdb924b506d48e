-- reset_simulations(simulation_ids, package_version, keep_outputs): as reset_reports, for simulations; they
-- also get the package version, where it is known. The caller holds the locks.
create or replace function pgreprise.reset_simulations(
  simulation_ids bigint[], package_version text, keep_outputs boolean
)
returns integer[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  started_runs integer[];
begin
  perform pgreprise.archive_simulations(reset_simulations.simulation_ids, reset_simulations.keep_outputs);

  with reset as (
    update public.simulations as simulation
       set status = 'pending',
           output = null,
           error_message = null,
           api_version = coalesce(reset_simulations.package_version, simulation.api_version),
           run_sequence = simulation.run_sequence + 1
     where simulation.id = any (reset_simulations.simulation_ids)
    returning simulation.id, simulation.run_sequence
  )

  select array_agg(reset.run_sequence order by reset.id) into started_runs from reset;
  return started_runs;
end;
$$;

comment on function pgreprise.reset_simulations(bigint[], text, boolean) is
'Archives the current run of simulations and starts the next, pending.';
