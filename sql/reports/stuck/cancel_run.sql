-- cancel_run(report_id, reason, country_id, run_sequence, idempotency_key): ends the current run of a report that is
-- pending or running: it is at error with the message "The run was cancelled: <reason>.", and cancelled in
-- report_history(). A run that a worker has claimed ends as soon as the worker hears of it with its next heartbeat and
-- gives the report back, at the latest when its lease is over; until then cancel_requested is true, and a result of it
-- is refused. A rerun starts the next run.
-- A second call for the same run changes nothing.
-- With run_sequence only that run is cancelled, not one that has started since. With an idempotency_key a second call
-- with the same key tells of the act of the first one, also when the report was rerun since, and changes nothing.
-- Returns {"report_id", "run_sequence", "status", "cancel_requested", "lease_until", "rerun_id"}: rerun_id is the
-- number of the act in rerun_history().
-- Raises RR001 no such report, RR008 no such country, RR012 the key was used for something else, RR016 an impossible
-- key or reason, RR017 the caller's token may not, RR020 the run is finished, or is not the current one any
-- more, RR022 a trigger of the host keeps the row as it is, 55P03 a row was locked for too long.
create or replace function public.cancel_run(
  report_id bigint,
  reason text default null,
  country_id text default null,
  run_sequence bigint default null,
  idempotency_key text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  target      record;
  held        pgreprise.claim;
  act_id      bigint;
  made_id     bigint;
  used_id     bigint;
  why         text;
  is_finished boolean;
begin
  perform pgreprise.enter('reports:rerun', cancel_run.country_id);
  why := pgreprise.checked_reason(cancel_run.reason);
  perform pgreprise.lock_rows('report_outputs', array[cancel_run.report_id]);
  select report.run_sequence, report.country_id::text as country_id, report.status::text as status,
      report.error_message::text as error_message
    into target
    from public.report_outputs as report
   where report.id = cancel_run.report_id
     and (cancel_run.country_id is null or report.country_id = cancel_run.country_id);
  if not found then
    perform pgreprise.raise_not_found('report', cancel_run.report_id, cancel_run.country_id);
  end if;

  select act.rerun_id into act_id
    from pgreprise.rerun as act
   where act.report_id = cancel_run.report_id and act.run_sequence is null
     and act.kind = 'cancel_run' and act.of_run = own.target.run_sequence
   order by act.rerun_id desc
   limit 1;
  if cancel_run.idempotency_key is not null then
    made_id := coalesce(act_id, pgreprise.new_act_id(pgreprise.id_shard('report', cancel_run.report_id)));
    used_id := pgreprise.use_idempotency_key(cancel_run.idempotency_key, 'cancel_run', cancel_run.report_id, made_id);
    if used_id is not null then
      return pgreprise.run_act_result(used_id);
    end if;
  end if;
  if cancel_run.run_sequence <> target.run_sequence then
    perform pgreprise.raise_run_over(cancel_run.report_id, target.run_sequence, cancel_run.run_sequence, target.status);
  end if;
  is_finished := target.status in ('complete', 'error');
  if is_finished and act_id is null then
    raise exception using
      errcode = 'RR020',
      message = format('Report #%s is at status %s: there is no run to cancel.', cancel_run.report_id, target.status),
      detail = jsonb_build_object('report_id', cancel_run.report_id, 'run_sequence', target.run_sequence,
        'status', target.status),
      hint = 'Nothing was changed. Only a run that is pending or running can be cancelled.';
  end if;

  if not is_finished then
    if act_id is null then
      insert into pgreprise.rerun as act
        (rerun_id, kind, report_id, country_id, of_run, idempotency_key, is_archived, reason)
      values
        (coalesce(own.made_id, pgreprise.new_act_id(pgreprise.id_shard('report', cancel_run.report_id))), 'cancel_run',
         cancel_run.report_id, target.country_id, target.run_sequence, cancel_run.idempotency_key, false, own.why)
      returning act.rerun_id into act_id;
    end if;
    -- The simulations that it computes, then the claim.
    perform pgreprise.lock_rows('simulations', array(
      select given.simulation_id
        from pgreprise.claim as claim
        join pgreprise.claim_simulation as given on given.claim_id = claim.claim_id
       where claim.report_id = cancel_run.report_id and claim.ended_at is null and given.open and given.computes
    ));
    perform pgreprise.lock_claims(array[cancel_run.report_id]);
    update pgreprise.claim as claim
       set cancel_requested_at = coalesce(claim.cancel_requested_at, clock_timestamp()),
           ended_because = case when claim.cancel_requested_at is null then own.why else claim.ended_because end
     where claim.report_id = cancel_run.report_id and claim.ended_at is null
    returning claim.* into held;
    if held.claim_id is null then
      perform pgreprise.write_cancellation(cancel_run.report_id, why);
    elsif held.lease_until < clock_timestamp() then
      perform pgreprise.end_lost_claim(held.claim_id, clock_timestamp());
    end if;
  end if;

  return pgreprise.run_act_result(act_id);
end;
$$;

comment on function public.cancel_run(bigint, text, text, bigint, text) is
'Ends the current run of a report that is pending or running, as cancelled.';

grant execute on function public.cancel_run(bigint, text, text, bigint, text) to pgreprise_api, pgreprise_dba;
