-- linked_simulations(country_id, simulation_1_id, simulation_2_id): what a report needs to know about the one or two
-- simulations that it links: their population types, the region and policies that they compute, and their ids, each
-- once, in the order of the links. A population type is null where the simulation does not exist; a simulation of
-- another country counts as one that does not exist.
-- linked_reports() gives the same for many reports.
create or replace function pgreprise.linked_simulations(
  country_id text,
  simulation_1_id bigint,
  simulation_2_id bigint,
  out population_type_1 text,
  out population_type_2 text,
  out region text,
  out baseline_policy_id bigint,
  out reform_policy_id bigint,
  out simulation_ids bigint[]
)
returns record
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  select max(simulation.population_type::text) filter (where simulation.id = linked_simulations.simulation_1_id),
      max(simulation.population_type::text) filter (where simulation.id = linked_simulations.simulation_2_id),
      max(simulation.population_id::text) filter (where simulation.id = linked_simulations.simulation_1_id),
      max(simulation.policy_id::bigint) filter (where simulation.id = linked_simulations.simulation_1_id),
      max(simulation.policy_id::bigint) filter (where simulation.id = linked_simulations.simulation_2_id)
    into population_type_1, population_type_2, region, baseline_policy_id, reform_policy_id
    from public.simulations as simulation
   where simulation.id in (linked_simulations.simulation_1_id, linked_simulations.simulation_2_id)
     and simulation.country_id = linked_simulations.country_id;

  simulation_ids := array_remove(array[
    linked_simulations.simulation_1_id,
    nullif(linked_simulations.simulation_2_id, linked_simulations.simulation_1_id)
  ], null);
end;
$$;

comment on function pgreprise.linked_simulations(text, bigint, bigint) is
'The population types, region and policies of the simulations that a report links.';
