-- release_claim(claim_id): the worker gives its report back, because it shuts down: it is pending and free at once, and
-- the attempt does not count. Where somebody has cancelled the run, it ends now. A claim that was released already
-- stays so.
-- Raises RR001 when the report was deleted, RR011 or RR020 when somebody has written it without the claim, RR017 when
-- the caller's token may not, RR027 when the claim is over, RR028 when there is no such claim, 55P03 when a row was
-- locked for too long.
create or replace function public.release_claim(claim_id uuid)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The tables of claims are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  held pgreprise.claim;
begin
  perform pgreprise.enter('reports:work');
  select claim.* into held from pgreprise.claim as claim where claim.claim_id = release_claim.claim_id;
  if held.ended_as = 'released' then
    return;
  end if;

  if held.cancel_requested_at is not null and held.ended_at is null then
    -- The report, the simulations that it computes, the claim; a sweep may have ended it in the meantime.
    perform pgreprise.lock_rows('report_outputs', array[held.report_id]);
    perform pgreprise.lock_rows('simulations', array(
      select given.simulation_id
        from pgreprise.claim_simulation as given
       where given.claim_id = release_claim.claim_id and given.open and given.computes
    ));
    select claim.* into held
      from pgreprise.claim as claim
     where claim.claim_id = release_claim.claim_id
       for no key update;
    if held.ended_at is not null then
      perform pgreprise.raise_claim_over(held);
    end if;
    perform pgreprise.end_lost_claim(release_claim.claim_id, clock_timestamp());
  else
    perform pgreprise.give_back_claim(release_claim.claim_id, 'released', 'the worker gave it back');
  end if;
end;
$$;

comment on function public.release_claim(uuid) is
'Gives the report of a claim back: it is pending at once, and the attempt does not count.';

grant execute on function public.release_claim(uuid) to pgreprise_worker, pgreprise_api, pgreprise_dba;
