-- claim_report(worker, lease, country_id, report_type, report_id, max_reports): takes pending reports for a worker, the
-- smallest ids first: up to max_reports of that country and type, or the one report that is given. They are running
-- then, and nobody else gets them until the worker ends the claim, or has been silent for longer than lease
-- (heartbeat_claim). No row when there is none. worker is a name for people; nothing is decided by it.
-- Reports of which somebody holds a row, or whose simulations another worker computes, are left out: a claim never
-- waits. First it takes back a few reports whose worker was lost.
-- The worker computes the simulations that have "computes": true, and finishes each (finish_simulation), then the
-- report (finish_report); or it fails it (fail_report) or gives it back (release_claim).
-- Raises RR001 when report_id does not exist, or not in that country; RR008 no such country, RR016 for a lease that is
-- not between 1 second and 1 day, for max_reports that is not between 1 and 100, for a worker without a name, and for
-- an unknown report_type; RR017 the caller's token may not; seldom 55P03, where many rows are written at once: claim
-- again.
create or replace function public.claim_report(
  worker text,
  lease interval default '60 s',
  country_id text default null,
  report_type text default null,
  report_id bigint default null,
  max_reports integer default 1
)
returns setof pgreprise.claim_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The tables of claims are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  refused text;
  longest text;
begin
  perform pgreprise.enter('reports:work', claim_report.country_id);
  refused := case
    when coalesce(btrim(claim_report.worker), '') = '' or length(claim_report.worker) > 200
      then 'A worker needs a name of 1 to 200 characters.'
    when claim_report.max_reports is null or claim_report.max_reports not between 1 and 100
      then 'max_reports must be between 1 and 100.'
    when claim_report.report_type not in ('household', 'geography')
      then format('Report type "%s" is neither household nor geography.', left(claim_report.report_type, 100))
  end;
  if refused is not null then
    raise exception using
      errcode = 'RR016',
      message = refused,
      detail = jsonb_build_object('worker', left(claim_report.worker, 200), 'max_reports', claim_report.max_reports,
        'report_type', left(claim_report.report_type, 100)),
      hint = 'Nothing was claimed. select * from claim_report(''worker 1'', country_id => ''us'')';
  end if;
  perform pgreprise.check_lease(claim_report.lease);
  if claim_report.report_id is not null then
    perform from pgreprise.stored_report(claim_report.report_id, claim_report.country_id);
    if not found then
      perform pgreprise.raise_not_found('report', claim_report.report_id, claim_report.country_id);
    end if;
  end if;

  longest := pgreprise.limit_lock_wait(interval '100 ms');
  return query
    select made.*
      from pgreprise.claim_reports(claim_report.worker, claim_report.lease, claim_report.country_id,
        claim_report.report_type, claim_report.report_id, claim_report.max_reports, clock_timestamp()) as made;
  perform set_config('lock_timeout', longest, true);
end;
$$;

comment on function public.claim_report(text, interval, text, text, bigint, integer) is
'Takes pending reports for a worker: select * from claim_report(''worker 1''). No row when there is none.';

grant execute on function public.claim_report(text, interval, text, text, bigint, integer)
to pgreprise_worker, pgreprise_api, pgreprise_dba;
