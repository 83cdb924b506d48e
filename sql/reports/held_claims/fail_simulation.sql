-- fail_simulation(claim_id, simulation_id, error_message): the worker could not compute a simulation of its claim: it
-- is at error with that message, and free for others at once. The claim goes on; the worker decides what that means for
-- the report. Returns the simulation.
-- Raises RR007 no such simulation, RR011 the simulation was reset, RR016 no message, RR017 the caller's token may not,
-- RR020 it is finished with another result, RR022 a trigger of the host keeps the row as it is, RR027 the claim is
-- over, RR028 no such claim of this simulation, 55P03 the row was locked for too long.
create or replace function public.fail_simulation(claim_id uuid, simulation_id bigint, error_message text)
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
  if coalesce(btrim(fail_simulation.error_message), '') = '' then
    raise exception using
      errcode = 'RR016',
      message = 'A failed simulation needs an error_message.',
      detail = jsonb_build_object('claim_id', fail_simulation.claim_id, 'simulation_id', fail_simulation.simulation_id),
      hint = 'Nothing was changed. select * from fail_simulation(<claim_id>, 5, ''no data'')';
  end if;
  if fail_simulation.claim_id is null then
    perform pgreprise.raise_no_claim(null);
  end if;
  perform pgreprise.write_simulation(fail_simulation.simulation_id, null, 'error', null, fail_simulation.error_message,
    null, fail_simulation.claim_id);

  return query select stored.* from pgreprise.stored_simulation(fail_simulation.simulation_id) as stored;
end;
$$;

comment on function public.fail_simulation(uuid, bigint, text) is
'Puts a simulation that a claim computes at error; the claim goes on.';

grant execute on function public.fail_simulation(uuid, bigint, text)
to pgreprise_worker, pgreprise_api, pgreprise_dba;
