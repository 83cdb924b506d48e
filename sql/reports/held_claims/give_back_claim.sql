-- give_back_claim(claim_id, ended_as, because, retry_after): ends a claim of a worker that does not go on, and puts its
-- report back to pending, to be claimed after that time. An attempt that ends as released does not count.
-- A claim of a report that was deleted just ends.
-- Raises RR011 when somebody else has written it, RR027 when the claim is
-- over, RR028 when there is no such claim.
create or replace function pgreprise.give_back_claim(
  claim_id uuid, ended_as text, because text, retry_after interval default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  held   pgreprise.claim;
  target record;
begin
  select claim.* into held from pgreprise.claim as claim where claim.claim_id = give_back_claim.claim_id;
  if not found then
    perform pgreprise.raise_no_claim(give_back_claim.claim_id);
  end if;
  perform pgreprise.lock_rows('report_outputs', array[held.report_id]);
  perform pgreprise.held_claim(give_back_claim.claim_id, with_simulations => true);
  select report.run_sequence, report.status::text as status into target
    from public.report_outputs as report
   where report.id = own.held.report_id;
  if target.run_sequence is null then
    perform pgreprise.end_claim(give_back_claim.claim_id, 'superseded', 'the report was deleted', counts => false);
    return;
  end if;
  if target.run_sequence <> held.run_sequence then
    perform pgreprise.raise_run_not_current('report', held.report_id, target.run_sequence, held.run_sequence);
  end if;

  perform pgreprise.end_claim(give_back_claim.claim_id, give_back_claim.ended_as, give_back_claim.because,
    counts => give_back_claim.ended_as <> 'released');
  -- Somebody who names no claim may have finished it in the meantime.
  if target.status not in ('complete', 'error') then
    perform pgreprise.make_claimable(held.report_id, held.run_sequence,
      clock_timestamp() + give_back_claim.retry_after);
  end if;
end;
$$;

comment on function pgreprise.give_back_claim(uuid, text, text, interval) is
'Ends a claim of a worker that does not go on, and puts its report back to pending.';
