-- end_lost_claim(claim_id, as_of): ends a claim whose worker has been silent for longer than its lease, or stops
-- because the run was cancelled. The caller has locked its report, the simulations that it computes and the claim. This
-- is the only place that says what becomes of the run:
-- - the report was deleted, or somebody has written or rerun it without us: nothing, the claim is superseded
-- - the run was cancelled: error, with the message of the cancellation
-- - the claim was revoked: pending; the attempt does not count
-- - else the worker is lost: pending again, at once the first time, later after a wait that doubles each time (setting
--   retry_wait, up to an hour). After as many lost attempts as the setting lost_attempts says, or at once where
--   when_lost is fail, it is error.
-- Returns the report, its run, how the claim ended, and the status of the report now.
create or replace function pgreprise.end_lost_claim(claim_id uuid, as_of timestamptz)
returns table (report_id bigint, run_sequence integer, worker text, ended_as text, status text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  held     pgreprise.claim;
  target   record;
  settings record;
  losses   integer;
begin
  select claim.* into held from pgreprise.claim as claim where claim.claim_id = end_lost_claim.claim_id;
  select report.run_sequence, report.status::text as status into target
    from public.report_outputs as report
   where report.id = own.held.report_id;
  report_id := held.report_id;
  run_sequence := held.run_sequence;
  worker := held.worker;

  if target.run_sequence is distinct from held.run_sequence or target.status in ('complete', 'error') then
    ended_as := 'superseded';
    perform pgreprise.end_claim(held.claim_id, ended_as, case when target.run_sequence is null
      then 'the report was deleted' else 'the report was written without this claim' end, counts => false);
  elsif held.cancel_requested_at is not null then
    ended_as := 'cancelled';
    perform pgreprise.end_claim(held.claim_id, ended_as, counts => false);
    perform pgreprise.write_cancellation(held.report_id, held.ended_because);
  elsif held.revoked_at is not null then
    ended_as := 'superseded';
    perform pgreprise.end_claim(held.claim_id, ended_as, counts => false);
    perform pgreprise.make_claimable(held.report_id, held.run_sequence);
  else
    ended_as := 'lost';
    perform pgreprise.end_claim(held.claim_id, ended_as,
      format('nothing was heard of worker %s for longer than its lease', held.worker));
    select setting.when_lost, setting.lost_attempts, setting.retry_wait into settings from pgreprise.setting as setting;
    losses := (
      select count(*)
        from pgreprise.claim as claim
       where claim.report_id = own.held.report_id
         and claim.run_sequence = own.held.run_sequence
         and claim.ended_as = 'lost' and claim.counts
    );
    if settings.when_lost = 'fail' or losses >= settings.lost_attempts then
      perform pgreprise.write_report_state(held.report_id, 'error', null,
        format('The workers that computed this report were lost: %s %s, the last one was %s.', losses,
          case losses when 1 then 'attempt' else 'attempts' end, held.worker), is_whole => true);
    else
      perform pgreprise.make_claimable(held.report_id, held.run_sequence, case when losses > 1
        then end_lost_claim.as_of
          + least(settings.retry_wait * power(2, least(losses - 2, 20)), interval '1 hour') end);
    end if;
  end if;

  status := (select report.status from public.report_outputs as report where report.id = own.held.report_id);
  return next;
end;
$$;

comment on function pgreprise.end_lost_claim(uuid, timestamptz) is
'Ends the claim of a lost worker, and decides what becomes of the run.';
