-- update_simulation(simulation_id, country_id, status, output, error_message, run_sequence): writes the values that
-- are not null, and the country's current package version where one is set, and returns the row. A null leaves its
-- column as it is, because the current application expects that; to clear columns use reset_simulation or
-- rerun_report.
-- A worker gives back the run_sequence that it read with the row. If that run has ended in the meantime, the write is
-- refused. A write without run_sequence is accepted in any run.
-- Raises RR007 no such simulation, RR008 no such country, RR011 the run has ended, RR016 values that cannot be
-- written, RR017 the caller's token may not.
create or replace function public.update_simulation(
  simulation_id bigint,
  country_id text default null,
  status text default null,
  output json default null,
  error_message text default null,
  run_sequence bigint default null
)
returns setof pgreprise.simulation_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:write', update_simulation.country_id);
  perform pgreprise.check_update(update_simulation.status, update_simulation.output, update_simulation.error_message);

  return query
    update public.simulations as simulation
       set status = coalesce(update_simulation.status, simulation.status),
           output = coalesce(update_simulation.output, simulation.output::json),
           error_message = coalesce(update_simulation.error_message, simulation.error_message),
           api_version = coalesce(
             (select country.package_version
                from pgreprise.country as country
               where country.country_id = simulation.country_id),
             simulation.api_version
           )
     where simulation.id = update_simulation.simulation_id
       and (update_simulation.country_id is null or simulation.country_id = update_simulation.country_id)
       and (update_simulation.run_sequence is null or simulation.run_sequence = update_simulation.run_sequence)
    returning simulation.id::bigint, simulation.country_id::text, simulation.api_version::text,
        simulation.population_id::text, simulation.population_type::text, simulation.policy_id::bigint,
        simulation.status::text, simulation.output::json, simulation.error_message::text,
        simulation.run_sequence;

  if not found then
    perform pgreprise.raise_run_not_current('simulation', current_row.id, current_row.run_sequence,
        update_simulation.run_sequence)
      from pgreprise.stored_simulation(update_simulation.simulation_id, update_simulation.country_id) as current_row;
    perform pgreprise.raise_not_found('simulation', update_simulation.simulation_id, update_simulation.country_id);
  end if;
end;
$$;

comment on function public.update_simulation(bigint, text, text, json, text, bigint) is
'Writes the values that are not null to a simulation and returns it.';

grant execute on function public.update_simulation(bigint, text, text, json, text, bigint)
to pgreprise_api, pgreprise_dba;
