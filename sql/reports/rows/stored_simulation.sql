-- stored_simulation(simulation_id, country_id): the row of a simulation as the routines return it, of that country
-- where one is given; no row when there is none. stored_report() tells how columns that the table may lack are read.
create or replace function pgreprise.stored_simulation(simulation_id bigint, country_id text default null)
returns setof pgreprise.simulation_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The tables of runs are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
begin
  return query
    select simulation.id::bigint, simulation.country_id::text, simulation.api_version::text,
        simulation.population_id::text, simulation.population_type::text, simulation.policy_id::bigint,
        simulation.status::text, simulation.output::json, simulation.error_message::text, simulation.run_sequence,
        host.*, times.pending_since, times.claimed_at, times.started_at, times.finished_at, times.attempt,
        times.wait_seconds, times.run_seconds
      from public.simulations as simulation
     cross join (values (null::json, null::bigint, null::text, null::text)) as absent (
       simulation_spec_json, simulation_spec_schema_version, active_run_id, latest_successful_run_id
     )
     cross join lateral (
       select simulation_spec_json::json, simulation_spec_schema_version::bigint, active_run_id::text,
           latest_successful_run_id::text
         from (select simulation.*) as present
     ) as host
     cross join lateral pgreprise.run_times('simulation', simulation.id, simulation.run_sequence) as times
     where simulation.id = stored_simulation.simulation_id
       and (stored_simulation.country_id is null or simulation.country_id = stored_simulation.country_id);
end;
$$;

comment on function pgreprise.stored_simulation(bigint, text) is 'The row of a simulation, or none.';
