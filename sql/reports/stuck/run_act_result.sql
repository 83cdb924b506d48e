-- run_act_result(rerun_id): what cancel_run() and release_stuck_run() return, made from the row that pgreprise.rerun
-- has of the act: when it is done, and again when its idempotency key is used again. status is that of the run as it is
-- now, also when a later run has begun. A cancelled run that a worker holds ends at lease_until at the latest. The
-- result of a release is how the claim ended that was open, with its worker; released where there was none.
create or replace function pgreprise.run_act_result(rerun_id bigint)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  act    record;
  status text;
  held   record;
begin
  select found_act.kind, found_act.report_id, found_act.of_run, found_act.created_at into act
    from pgreprise.rerun as found_act
   where found_act.rerun_id = run_act_result.rerun_id;
  status := coalesce(
    (select report.status::text
       from public.report_outputs as report
      where report.id = own.act.report_id and report.run_sequence = own.act.of_run),
    (select run.status
       from pgreprise.report_run as run
      where run.report_id = own.act.report_id and run.run_sequence = own.act.of_run)
  );

  if act.kind = 'cancel_run' then
    select claim.lease_until into held
      from pgreprise.claim as claim
     where claim.report_id = own.act.report_id and claim.run_sequence = own.act.of_run and claim.ended_at is null
       and own.status not in ('complete', 'error');
    return jsonb_build_object(
      'report_id', act.report_id,
      'run_sequence', act.of_run,
      'status', status,
      'cancel_requested', status not in ('complete', 'error'),
      'lease_until', held.lease_until,
      'rerun_id', run_act_result.rerun_id
    );
  end if;

  -- It was open when the act began, and the act has ended it.
  select claim.ended_as, claim.worker into held
    from pgreprise.claim as claim
   where claim.report_id = own.act.report_id
     and claim.run_sequence = own.act.of_run
     and claim.claimed_at <= own.act.created_at
     and claim.ended_at >= own.act.created_at
   order by claim.attempt desc
   limit 1;
  return jsonb_build_object(
    'report_id', act.report_id,
    'run_sequence', act.of_run,
    'status', status,
    'result', coalesce(held.ended_as, 'released'),
    'worker', held.worker,
    'rerun_id', run_act_result.rerun_id
  );
end;
$$;

comment on function pgreprise.run_act_result(bigint) is 'What cancel_run() and release_stuck_run() return of an act.';
