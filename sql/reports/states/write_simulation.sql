-- write_simulation(simulation_id, country_id, status, output, error_message, run_sequence, claim_id): as
-- write_report(), for a simulation. A claim that finishes a simulation goes on; the simulation is free for others at
-- once. A write that names no claim, and finishes a simulation that a claim computes, takes that from the claim.
-- Raises RR007 when there is no such simulation, else as write_report().
create or replace function pgreprise.write_simulation(
  simulation_id bigint,
  country_id text,
  status text,
  output json,
  error_message text,
  run_sequence bigint,
  claim_id uuid
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  target  record;
  is_over constant boolean := coalesce(write_simulation.status in ('complete', 'error'), false);
begin
  -- Locked before it is judged, so that nobody finishes or reruns it in between.
  -- Without a wait there is no block that catches an error: such a block costs something and would lock the row twice.
  for attempt in 1..2 loop
    select simulation.id::bigint as id, simulation.run_sequence, simulation.status::text as status,
        simulation.output::json as output, simulation.error_message::text as error_message
      into target
      from public.simulations as simulation
     where simulation.id = write_simulation.simulation_id
       and (write_simulation.country_id is null or simulation.country_id = write_simulation.country_id)
       for no key update skip locked;
    exit when found or attempt = 2;
    perform pgreprise.lock_rows('simulations', array[write_simulation.simulation_id]);
  end loop;
  if target.id is null then
    perform pgreprise.raise_not_found('simulation', write_simulation.simulation_id, write_simulation.country_id);
  end if;

  if not pgreprise.is_to_be_written('simulation', target.id, target.run_sequence, target.status, target.output,
    target.error_message, write_simulation.run_sequence, write_simulation.status, write_simulation.output,
    write_simulation.error_message, write_simulation.claim_id)
  then
    return;
  end if;

  perform pgreprise.write_simulation_state(target.id, write_simulation.status, write_simulation.output,
    write_simulation.error_message);
  if is_over then
    update pgreprise.claim_simulation as given
       set computes = false,
           finished_at = case when given.claim_id = write_simulation.claim_id then clock_timestamp() end
     where given.simulation_id = own.target.id and given.open and given.computes;
  end if;
end;
$$;

comment on function pgreprise.write_simulation(bigint, text, text, json, text, bigint, uuid) is
'Writes the values that are not null to a simulation, if they may follow what is stored.';
