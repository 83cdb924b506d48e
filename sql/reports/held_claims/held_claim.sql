-- held_claim(claim_id, with_simulations): the claim of a worker that writes, locked; first, where the report is
-- written, the simulations that it computes. The caller has locked the report or the simulation that is written.
-- Raises RR027 when the claim is over, was revoked, or is cancelled, and says why; RR028 when there is no such claim.
create or replace function pgreprise.held_claim(claim_id uuid, with_simulations boolean)
returns pgreprise.claim
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
declare
  held pgreprise.claim;
begin
  if held_claim.with_simulations then
    perform from public.simulations as simulation
      where simulation.id in (
        select given.simulation_id
          from pgreprise.claim_simulation as given
         where given.claim_id = held_claim.claim_id and given.open and given.computes
      )
      order by simulation.id
        for no key update;
  end if;
  select claim.* into held
    from pgreprise.claim as claim
   where claim.claim_id = held_claim.claim_id
     for no key update;
  if not found then
    perform pgreprise.raise_no_claim(held_claim.claim_id);
  end if;

  if held.ended_at is not null or held.revoked_at is not null or held.cancel_requested_at is not null then
    perform pgreprise.raise_claim_over(held);
  end if;
  return held;
end;
$$;

comment on function pgreprise.held_claim(uuid, boolean) is 'The open claim of a worker that writes, locked.';
