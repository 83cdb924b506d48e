-- finish_simulation(claim_id, simulation_id, output): stores the output of a simulation that the claim computes, which
-- is complete then, and free for the reports of others at once. Returns the simulation. For one that
-- failed see fail_simulation().
-- The very same output sent again is answered with what is stored.
-- Raises RR007 no such simulation, RR011 the simulation was reset, RR016 no readable output, RR017 the caller's token
-- may not, RR020 it is finished with another result, RR022 a trigger of the host keeps the row as it is, RR027 the
-- claim is over, RR028 no such claim of this simulation, 55P03 the row was locked for too long.
create or replace function public.finish_simulation(claim_id uuid, simulation_id bigint, output json)
returns setof pgreprise.simulation_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The tables of claims are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
begin
  perform pgreprise.enter('reports:work');
  perform pgreprise.check_update('complete', finish_simulation.output, null);
  if finish_simulation.claim_id is null then
    perform pgreprise.raise_no_claim(null);
  end if;
  perform pgreprise.write_simulation(finish_simulation.simulation_id, null, 'complete', finish_simulation.output, null,
    null, finish_simulation.claim_id);

  return query select stored.* from pgreprise.stored_simulation(finish_simulation.simulation_id) as stored;
end;
$$;

comment on function public.finish_simulation(uuid, bigint, json) is
'Stores the output of a simulation that a claim computes; it is complete then.';

grant execute on function public.finish_simulation(uuid, bigint, json)
to pgreprise_worker, pgreprise_api, pgreprise_dba;
