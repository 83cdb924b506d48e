-- update_simulation(simulation_id, country_id, status, output, error_message, run_sequence): writes the values that
-- are not null, and the country's current package version where one is set, and returns the row. A null leaves its
-- column as it is, because the current application expects that; only status complete clears an error_message that is
-- not given. To clear columns use reset_simulation or rerun_report.
-- A worker gives back the run_sequence that it read with the row. If that run has ended in the meantime, the write is
-- refused. A write without run_sequence is accepted in any run.
-- A finished run, which is complete or error, is not changed: a worker that sends its result again gets the stored row.
-- Raises RR007 no such simulation, RR008 no such country, RR011 the run has ended, RR016 values that cannot be written,
-- RR017 the caller's token may not, RR020 the run is finished and the setting allow_unfinish is off, RR022 a
-- trigger of the host keeps the row as it is, 55P03 the row was locked for too long.
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
declare
  target record;
begin
  perform pgreprise.enter('reports:write', update_simulation.country_id);
  perform pgreprise.check_update(update_simulation.status, update_simulation.output, update_simulation.error_message);

  -- Locked before it is judged, so that nobody finishes or reruns it in between.
  -- Without a wait there is no block that catches an error: such a block costs something and would lock the row twice.
  for attempt in 1..2 loop
    select simulation.id::bigint as id, simulation.run_sequence, simulation.status::text as status,
        simulation.output::json as output, simulation.error_message::text as error_message
      into target
      from public.simulations as simulation
     where simulation.id = update_simulation.simulation_id
       and (update_simulation.country_id is null or simulation.country_id = update_simulation.country_id)
       for no key update skip locked;
    exit when found or attempt = 2;
    perform pgreprise.lock_rows('simulations', array[update_simulation.simulation_id]);
  end loop;
  if target.id is null then
    perform pgreprise.raise_not_found('simulation', update_simulation.simulation_id, update_simulation.country_id);
  end if;

  if pgreprise.is_to_be_written('simulation', target.id, target.run_sequence, target.status, target.output,
    target.error_message, update_simulation.run_sequence, update_simulation.status, update_simulation.output,
    update_simulation.error_message)
  then
    update public.simulations as simulation
       set status = coalesce(update_simulation.status, simulation.status),
           output = coalesce(update_simulation.output, simulation.output::json),
           error_message = case
             when update_simulation.status = 'complete' then update_simulation.error_message
             else coalesce(update_simulation.error_message, simulation.error_message)
           end,
           api_version = coalesce(
             (select country.package_version
                from pgreprise.country as country
               where country.country_id = simulation.country_id),
             simulation.api_version
           )
     where simulation.id = update_simulation.simulation_id;
    if not found then
      perform pgreprise.raise_kept_rows('RR022', 'simulations', 1, 0);
    end if;
    if (select setting.has_run_tables from pgreprise.setting as setting) then
      perform pgreprise.write_simulation_host_run(target.id);
    end if;
  end if;

  return query select stored.* from pgreprise.stored_simulation(update_simulation.simulation_id) as stored;
end;
$$;

comment on function public.update_simulation(bigint, text, text, json, text, bigint) is
'Writes the values that are not null to a simulation whose run is not finished, and returns it.';

grant execute on function public.update_simulation(bigint, text, text, json, text, bigint)
to pgreprise_api, pgreprise_dba;
