-- get_simulation(simulation_id, country_id): the stored simulation, of that country where one is given.
-- Creates and changes nothing, also when the row's package version is not the current one.
-- Raises RR007 when there is no such simulation, RR008 when there is no such country.
create or replace function public.get_simulation(simulation_id bigint, country_id text default null)
returns setof pgreprise.simulation_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if get_simulation.country_id is not null then
    perform pgreprise.require_country(get_simulation.country_id);
  end if;

  return query
    select simulation.id::bigint, simulation.country_id::text, simulation.api_version::text,
        simulation.population_id::text, simulation.population_type::text, simulation.policy_id::bigint,
        simulation.status::text, simulation.output::json, simulation.error_message::text
      from public.simulations as simulation
     where simulation.id = get_simulation.simulation_id
       and (get_simulation.country_id is null or simulation.country_id = get_simulation.country_id);

  if not found then
    perform pgreprise.raise_simulation_not_found(get_simulation.simulation_id, get_simulation.country_id);
  end if;
end;
$$;

comment on function public.get_simulation(bigint, text) is 'The stored simulation; select * from get_simulation(42).';

grant execute on function public.get_simulation(bigint, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
