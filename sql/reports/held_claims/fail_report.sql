-- fail_report(claim_id, error_message, retry_after): the worker could not compute the report: it is at error with that
-- message, and the claim ends. With retry_after it is pending instead, and may be claimed again after that time.
-- Simulations that the claim was computing are pending again. Returns the report.
-- The caller decides how often: the attempt is in the claim.
-- Raises RR001 the report was deleted, RR011 or RR020 somebody has written it without the claim, RR016 no message, or a
-- retry_after that is negative or longer than 30 days; RR017 the caller's token may not, RR022 a trigger of the host
-- keeps the row as it is, RR027 the claim is over, RR028 no such claim, 55P03 the row was locked for too long.
create or replace function public.fail_report(claim_id uuid, error_message text, retry_after interval default null)
returns setof pgreprise.report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The tables of claims are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  target_id bigint;
begin
  perform pgreprise.enter('reports:work');
  if coalesce(btrim(fail_report.error_message), '') = ''
    or not coalesce(fail_report.retry_after between interval '0' and interval '30 days', true)
  then
    raise exception using
      errcode = 'RR016',
      message = 'A failed report needs an error_message, and a retry_after of at most 30 days if it has one.',
      detail = jsonb_build_object('claim_id', fail_report.claim_id, 'retry_after', fail_report.retry_after),
      hint = 'Nothing was changed. select * from fail_report(<claim_id>, ''no data'', interval ''5 minutes'')';
  end if;
  select claim.report_id into target_id from pgreprise.claim as claim where claim.claim_id = fail_report.claim_id;
  if not found then
    perform pgreprise.raise_no_claim(fail_report.claim_id);
  end if;

  if fail_report.retry_after is null then
    perform pgreprise.write_report(target_id, null, 'error', null, fail_report.error_message, null,
      fail_report.claim_id);
  else
    perform pgreprise.give_back_claim(fail_report.claim_id, 'error', fail_report.error_message,
      fail_report.retry_after);
  end if;

  return query select stored.* from pgreprise.stored_report(own.target_id) as stored;
end;
$$;

comment on function public.fail_report(uuid, text, interval) is
'Puts the report that a claim computes at error, or back to pending for a later attempt, and ends the claim.';

grant execute on function public.fail_report(uuid, text, interval) to pgreprise_worker, pgreprise_api, pgreprise_dba;
