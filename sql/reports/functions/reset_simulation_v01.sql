-- reset_simulation(simulation_id): put one stored simulation back to pending.
-- Clears output and error_message, and writes the country's current package version where it is known.
-- Raises RR007 when there is no such simulation.
create or replace function public.reset_simulation(simulation_id bigint)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  simulation_country text;
  package_version    text;
begin
  perform pgreprise.bound_lock_wait();

  select simulation.country_id into simulation_country
    from public.simulations as simulation
   where simulation.id = reset_simulation.simulation_id
     for update;

  if not found then
    perform pgreprise.raise_simulation_not_found(reset_simulation.simulation_id);
  end if;

  select country.package_version into package_version
    from pgreprise.country as country
   where country.country_id = own.simulation_country;

  update public.simulations as simulation
     set status = 'pending',
         output = null,
         error_message = null,
         api_version = coalesce(own.package_version, simulation.api_version)
   where simulation.id = reset_simulation.simulation_id;
end;
$$;

comment on function public.reset_simulation(bigint) is
'Puts one simulation back to pending and clears its output and error; the reports that use it stay.';

grant execute on function public.reset_simulation(bigint) to pgreprise_dba;
