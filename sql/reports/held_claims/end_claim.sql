-- end_claim(claim_id, ended_as, because, counts, kept_simulation_ids): ends a claim, and puts the simulations that it
-- was computing back to pending, but for the kept ones. The caller has locked the claim and those simulations.
create or replace function pgreprise.end_claim(
  claim_id uuid,
  ended_as text,
  because text default null,
  counts boolean default true,
  kept_simulation_ids bigint[] default '{}'
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  given record;
begin
  update pgreprise.claim as claim
     set ended_at = clock_timestamp(), ended_as = end_claim.ended_as,
         ended_because = coalesce(end_claim.because, claim.ended_because), counts = end_claim.counts
   where claim.claim_id = end_claim.claim_id;

  for given in
    select computed.simulation_id, computed.run_sequence
      from pgreprise.claim_simulation as computed
     where computed.claim_id = end_claim.claim_id
       and computed.open and computed.computes
       and computed.simulation_id <> all (end_claim.kept_simulation_ids)
     order by computed.simulation_id
  loop
    perform from public.simulations as simulation
      where simulation.id = own.given.simulation_id
        and simulation.run_sequence = own.given.run_sequence
        and simulation.status = 'running';
    if found then
      perform pgreprise.write_simulation_state(given.simulation_id, 'pending', null, null, is_whole => true);
    end if;
  end loop;
  update pgreprise.claim_simulation as computed
     set open = false
   where computed.claim_id = end_claim.claim_id and computed.open;
end;
$$;

comment on function pgreprise.end_claim(uuid, text, text, boolean, bigint[]) is
'Ends a claim and puts the simulations that it was computing back to pending.';
