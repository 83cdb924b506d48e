-- newest_simulation(country_id, population_id, population_type, policy_id): the id of the newest simulation with these
-- values, or null.
-- It is volatile on purpose: each call sees what other transactions have committed until then.
create or replace function pgreprise.newest_simulation(
  country_id text, population_id text, population_type text, policy_id bigint
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select max(simulation.id)
      from public.simulations as simulation
     where simulation.country_id = newest_simulation.country_id
       and simulation.population_id = newest_simulation.population_id
       and simulation.population_type = newest_simulation.population_type
       and simulation.policy_id = newest_simulation.policy_id
  );
end;
$$;

comment on function pgreprise.newest_simulation(text, text, text, bigint) is
'The id of the newest simulation with these values, or null.';
