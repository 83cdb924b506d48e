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
as $$
<<own>>
declare
  left_id bigint;
begin
  update pgreprise.claim as claim
     set ended_at = clock_timestamp(), ended_as = end_claim.ended_as,
         ended_because = coalesce(end_claim.because, claim.ended_because), counts = end_claim.counts
   where claim.claim_id = end_claim.claim_id;

  for left_id in
    select simulation.id
      from pgreprise.claim_simulation as given
      join public.simulations as simulation
        on simulation.id = given.simulation_id and simulation.run_sequence = given.run_sequence
     where given.claim_id = end_claim.claim_id
       and given.open and given.computes
       and given.simulation_id <> all (end_claim.kept_simulation_ids)
       and simulation.status = 'running'
     order by simulation.id
  loop
    perform pgreprise.write_simulation_state(left_id, 'pending', null, null, is_whole => true);
  end loop;
  update pgreprise.claim_simulation as given
     set open = false
   where given.claim_id = end_claim.claim_id and given.open;
end;
$$;

comment on function pgreprise.end_claim(uuid, text, text, boolean, bigint[]) is
'Ends a claim and puts the simulations that it was computing back to pending.';
