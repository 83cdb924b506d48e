-- lock_linked_simulations(country_id, simulation_1_id, simulation_2_id): locks the simulations that a report links, for
-- a change, and returns what linked_simulations() says about them, as it is under the locks: both in one statement.
-- They are locked in id order, as everywhere, so that reports that share simulations cannot deadlock.
create or replace function pgreprise.lock_linked_simulations(
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
set search_path = pg_catalog, pg_temp
as $$
declare
  locked record;
begin
  -- For two rows a loop costs less than aggregates over a subquery.
  for locked in
    select simulation.id, simulation.population_type, simulation.population_id, simulation.policy_id
      from public.simulations as simulation
     where simulation.id = any (
         array[lock_linked_simulations.simulation_1_id, lock_linked_simulations.simulation_2_id]
       )
       and simulation.country_id = lock_linked_simulations.country_id
     order by simulation.id
       for no key update
  loop
    if locked.id = lock_linked_simulations.simulation_1_id then
      population_type_1 := locked.population_type;
      region := locked.population_id;
      baseline_policy_id := locked.policy_id;
    end if;
    if locked.id = lock_linked_simulations.simulation_2_id then
      population_type_2 := locked.population_type;
      reform_policy_id := locked.policy_id;
    end if;
  end loop;

  simulation_ids := array_remove(array[
    lock_linked_simulations.simulation_1_id,
    nullif(lock_linked_simulations.simulation_2_id, lock_linked_simulations.simulation_1_id)
  ], null);
end;
$$;

comment on function pgreprise.lock_linked_simulations(text, bigint, bigint) is
'Locks the simulations that a report links, and returns their population types, region and policies.';
