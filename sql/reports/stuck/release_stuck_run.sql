-- release_stuck_run(report_id, country_id, run_sequence, reason, idempotency_key): puts the run of one report that
-- nobody computes any more back to pending, as release_stuck_runs() does: where the lease of its claim is over, the
-- claim ends as end_lost_claim() says; where it is running without a claim, release_run() puts it back, however long it
-- has been running. It waits for rows that somebody holds. With run_sequence only that run is released, not one that
-- has started since. The reason is in rerun_history(). With an idempotency_key a second call with the same key tells of
-- the act of the first one and changes nothing.
-- Returns {"report_id", "run_sequence", "status", "result", "worker", "rerun_id"}: result is released, or how the claim
-- of the worker ended: lost, cancelled or superseded. status is that of the run now: pending, or error where too many
-- workers were lost or it was cancelled.
-- Raises RR001 no such report, RR008 no such country, RR012 the key was used for something else, RR016 an impossible
-- key or reason, RR017 the caller's token may not, RR020 the run is not the current one any more, RR022 a trigger of
-- the host keeps a row as it is, RR032 a worker holds it with a good lease, or it is not running, 55P03 a row was
-- locked for too long.
create or replace function public.release_stuck_run(
  report_id bigint,
  country_id text default null,
  run_sequence bigint default null,
  reason text default null,
  idempotency_key text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  target  record;
  linked  bigint[] := array[]::bigint[];
  held    pgreprise.claim;
  as_of   timestamptz;
  act_id  bigint;
  used_id bigint;
  why     text;
  refused text;
begin
  perform pgreprise.enter('reports:rerun', release_stuck_run.country_id);
  why := pgreprise.checked_reason(release_stuck_run.reason);
  -- The report, its simulations and those that a claim computes, then the claim.
  perform pgreprise.lock_rows('report_outputs', array[release_stuck_run.report_id]);
  select report.run_sequence, report.country_id::text as country_id, report.status::text as status,
      array_remove(array[report.simulation_1_id, report.simulation_2_id]::bigint[], null) as simulation_ids
    into target
    from public.report_outputs as report
   where report.id = release_stuck_run.report_id
     and (release_stuck_run.country_id is null or report.country_id = release_stuck_run.country_id);
  if not found then
    perform pgreprise.raise_not_found('report', release_stuck_run.report_id, release_stuck_run.country_id);
  end if;

  linked := target.simulation_ids;
  act_id := pgreprise.new_act_id(pgreprise.id_shard('report', release_stuck_run.report_id));
  if release_stuck_run.idempotency_key is not null then
    used_id := pgreprise.use_idempotency_key(release_stuck_run.idempotency_key, 'release_run',
      release_stuck_run.report_id, act_id);
    if used_id is not null then
      return pgreprise.run_act_result(used_id);
    end if;
  end if;
  if release_stuck_run.run_sequence <> target.run_sequence then
    perform pgreprise.raise_run_over(release_stuck_run.report_id, target.run_sequence, release_stuck_run.run_sequence,
      target.status);
  end if;

  perform pgreprise.lock_rows('simulations', linked || array(
    select given.simulation_id
      from pgreprise.claim as claim
      join pgreprise.claim_simulation as given on given.claim_id = claim.claim_id
     where claim.report_id = release_stuck_run.report_id
       and claim.ended_at is null and given.open and given.computes
  ));
  perform pgreprise.lock_claims(array[release_stuck_run.report_id]);
  select claim.* into held
    from pgreprise.claim as claim
   where claim.report_id = release_stuck_run.report_id and claim.ended_at is null;
  as_of := clock_timestamp();
  refused := case
    when held.lease_until >= as_of
      then format('Worker %s computes report #%s, and its lease is good until %s.', held.worker,
        release_stuck_run.report_id, held.lease_until)
    when held.claim_id is null and target.status <> 'running'
      then format('Report #%s is at status %s: there is no run to release.', release_stuck_run.report_id,
        target.status)
  end;
  if refused is not null then
    raise exception using
      errcode = 'RR032',
      message = refused,
      detail = jsonb_build_object('report_id', release_stuck_run.report_id, 'run_sequence', target.run_sequence,
        'status', target.status, 'worker', held.worker, 'lease_until', held.lease_until),
      hint = case when held.claim_id is null
        then 'Nothing was changed. Only a run that is running, and that nobody computes, can be released.'
        else format('Nothing was changed. To end the run, cancel it instead: select cancel_run(%s)',
          release_stuck_run.report_id) end;
  end if;

  if held.claim_id is null then
    perform pgreprise.release_run(release_stuck_run.report_id, target.run_sequence, why, act_id,
      release_stuck_run.idempotency_key);
  else
    insert into pgreprise.rerun as act
      (rerun_id, kind, report_id, country_id, of_run, idempotency_key, is_archived, created_at, reason)
    values
      (own.act_id, 'release_run', release_stuck_run.report_id, target.country_id, held.run_sequence,
       release_stuck_run.idempotency_key, false, own.as_of, own.why);
    perform from pgreprise.end_lost_claim(held.claim_id, own.as_of);
  end if;
  return pgreprise.run_act_result(act_id);
exception
  when lock_not_available then
    perform pgreprise.raise_report_wait(array[release_stuck_run.report_id], linked);
    raise;
end;
$$;

comment on function public.release_stuck_run(bigint, text, bigint, text, text) is
'Puts the run of one report that nobody computes any more back to pending; select release_stuck_run(42).';

grant execute on function public.release_stuck_run(bigint, text, bigint, text, text) to pgreprise_api, pgreprise_dba;
