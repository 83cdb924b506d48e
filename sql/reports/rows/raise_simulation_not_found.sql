-- raise_simulation_not_found(simulation_id, country_id): what every routine says of a simulation that
-- is not there.
-- Raises RR007, always.
create or replace function pgreprise.raise_simulation_not_found(simulation_id bigint, country_id text default null)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR007',
    message = format('Simulation #%s not found.', coalesce(raise_simulation_not_found.simulation_id::text, 'null')),
    detail = jsonb_strip_nulls(jsonb_build_object(
      'simulation_id', raise_simulation_not_found.simulation_id, 'country_id', raise_simulation_not_found.country_id
    )),
    hint = case when raise_simulation_not_found.country_id is null
      then 'select id from public.simulations lists the simulations that exist.'
      else 'Check id and country: a simulation is found in its own country only.' end;
end;
$$;

comment on function pgreprise.raise_simulation_not_found(bigint, text) is 'Raises RR007.';
