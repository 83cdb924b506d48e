-- write_simulation_state(simulation_id, status, output, error_message, is_whole): as write_report_state(), for a
-- simulation. A result is one of the country's current package version, where one is set.
-- Raises RR022 when a trigger of the host keeps the row as it is.
create or replace function pgreprise.write_simulation_state(
  simulation_id bigint,
  status text,
  output json default null,
  error_message text default null,
  is_whole boolean default false
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  written record;
begin
  update public.simulations as simulation
     set status = coalesce(write_simulation_state.status, simulation.status),
         output = case
           when write_simulation_state.is_whole then write_simulation_state.output
           else coalesce(write_simulation_state.output, simulation.output::json)
         end,
         error_message = case
           when write_simulation_state.is_whole or write_simulation_state.status = 'complete'
             then write_simulation_state.error_message
           else coalesce(write_simulation_state.error_message, simulation.error_message)
         end,
         api_version = coalesce(
           (select country.package_version
              from pgreprise.country as country
             where country.country_id = simulation.country_id),
           simulation.api_version
         )
   where simulation.id = write_simulation_state.simulation_id
  returning simulation.run_sequence, simulation.status::text as status into written;
  if written.run_sequence is null then
    perform pgreprise.raise_kept_rows('RR022', 'simulations', 1, 0);
  end if;

  if not (select setting.has_run_tables from pgreprise.setting as setting)
    or not pgreprise.write_simulation_host_run(write_simulation_state.simulation_id)
  then
    perform pgreprise.keep_run_time('simulation', write_simulation_state.simulation_id, written.run_sequence,
      written.status);
  end if;
end;
$$;

comment on function pgreprise.write_simulation_state(bigint, text, json, text, boolean) is
'Writes the state of the current run of a simulation, and its times.';
