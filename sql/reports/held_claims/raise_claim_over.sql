-- raise_claim_over(claim): refuses a worker whose claim is over, was revoked or cancelled, and tells why.
-- Raises RR027, always.
create or replace function pgreprise.raise_claim_over(claim pgreprise.claim)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  how constant text := case
    when (claim).ended_as is not null then (claim).ended_as
    when (claim).cancel_requested_at is not null then 'cancelled'
    else 'superseded'
  end;
begin
  raise exception using
    errcode = 'RR027',
    message = format('The claim of report #%s, run %s, attempt %s is over: %s%s.', (claim).report_id,
      (claim).run_sequence, (claim).attempt, own.how, ', ' || rtrim((claim).ended_because, '.')),
    detail = jsonb_build_object('claim_id', (claim).claim_id, 'report_id', (claim).report_id,
      'run_sequence', (claim).run_sequence, 'attempt', (claim).attempt, 'ended_as', own.how,
      'ended_because', (claim).ended_because),
    hint = 'Nothing was changed. Discard this result and claim the next report.';
end;
$$;

comment on function pgreprise.raise_claim_over(pgreprise.claim) is 'Raises RR027.';
