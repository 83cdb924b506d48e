-- sweep_claim(claim_id, as_of): ends one claim whose lease is over at the time as_of, as end_lost_claim() says. It
-- waits for no row: no row where somebody holds one, and where the claim is not over any more.
create or replace function pgreprise.sweep_claim(claim_id uuid, as_of timestamptz)
returns table (report_id bigint, run_sequence integer, worker text, ended_as text, status text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  lapsed record;
begin
  select claim.report_id into lapsed from pgreprise.claim as claim where claim.claim_id = sweep_claim.claim_id;
  perform from public.report_outputs as report where report.id = own.lapsed.report_id for no key update skip locked;
  if not found and exists (select from public.report_outputs as report where report.id = own.lapsed.report_id) then
    return;
  end if;
  perform from pgreprise.locked_rows('simulations', array(
    select given.simulation_id
      from pgreprise.claim_simulation as given
     where given.claim_id = sweep_claim.claim_id and given.open and given.computes
  ));
  if found then
    return;
  end if;
  -- Its worker may have renewed it, or another sweep ended it.
  perform from pgreprise.claim as claim
    where claim.claim_id = sweep_claim.claim_id
      and claim.ended_at is null
      and claim.lease_until < sweep_claim.as_of
      for no key update skip locked;
  if not found then
    return;
  end if;

  return query
    select ended.* from pgreprise.end_lost_claim(sweep_claim.claim_id, sweep_claim.as_of) as ended;
end;
$$;

comment on function pgreprise.sweep_claim(uuid, timestamptz) is 'Ends one claim whose lease is over.';
