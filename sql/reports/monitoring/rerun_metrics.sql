-- rerun_metrics(): figures for monitors: one row a sample, with the name of the metric, its labels and its value. Names
-- and labels are those of Prometheus: a counter ends in _total, a time is in seconds, a size in bytes. What does not
-- exist counts as 0, so that an alert sees it.
-- It counts the reports that wait or failed, which reads the whole of report_outputs without its outputs: call it as
-- often as a person would look, about once or twice a minute, and not for every scrape of many. Changes nothing.
-- Raises RR017 when the caller's token may not read.
create or replace function public.rerun_metrics()
returns table (metric text, labels jsonb, value double precision)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');

  return query
    with unfinished as materialized (
      select lost.country_id, lost.status, count(*) as reports, min(lost.since) as since
        from public.lost_runs(interval '0', 'infinity') as lost
       group by lost.country_id, lost.status
    ),

    failed as (
      select report.country_id::text as country_id, count(*) as reports
        from public.report_outputs as report
       where report.status = 'error'
       group by report.country_id
    ),

    expected as (
      select country.country_id, state.status
        from pgreprise.country as country
       cross join (values ('pending'), ('running'), ('error')) as state(status)
      union
      select unfinished.country_id, unfinished.status from unfinished
      union
      select failed.country_id, 'error' from failed
    ),

    ended_claims as (
      select claim.ended_as, count(*) as attempts
        from pgreprise.claim as claim
       where claim.ended_at is not null
       group by claim.ended_as
    ),

    open_claims as (
      select count(*) as held, count(*) filter (where claim.lease_until < now()) as lapsed
        from pgreprise.claim as claim
       where claim.ended_at is null
    ),

    kinds as (
      select act.kind, count(*) as acts from pgreprise.rerun as act group by act.kind
    ),

    batches as (
      select count(*) as unfinished, count(*) filter (where batch.stands_still) as standing
        from public.rerun_batches(is_open => true) as batch
    )

    select 'pgreprise_reports', jsonb_build_object('country', expected.country_id, 'status', expected.status),
        coalesce(unfinished.reports, failed.reports, 0)::double precision
      from expected
      left join unfinished on unfinished.country_id = expected.country_id and unfinished.status = expected.status
      left join failed on failed.country_id = expected.country_id and expected.status = 'error'
    union all
    select format('pgreprise_oldest_%s_seconds', expected.status),
        jsonb_build_object('country', expected.country_id),
        greatest(extract(epoch from now() - unfinished.since), 0)::double precision
      from expected
      left join unfinished on unfinished.country_id = expected.country_id and unfinished.status = expected.status
     where expected.status in ('pending', 'running')
    union all
    select 'pgreprise_acts_total', jsonb_build_object('kind', listed.kind), coalesce(kinds.acts, 0)::double precision
      from (
        values ('rerun'), ('reset_report'), ('reset_simulation'), ('delete_reform_impacts'), ('undo'), ('cancel_run'),
          ('release_run')
      ) as listed(kind)
      left join kinds on kinds.kind = listed.kind
    union all
    select 'pgreprise_claims_open', jsonb_build_object(), open_claims.held::double precision from open_claims
    union all
    select 'pgreprise_claims_lapsed', jsonb_build_object(), open_claims.lapsed::double precision from open_claims
    union all
    select 'pgreprise_attempts_total', jsonb_build_object('ended_as', listed.ended_as),
        coalesce(ended_claims.attempts, 0)::double precision
      from (
        values ('complete'), ('error'), ('lost'), ('superseded'), ('cancelled'), ('released')
      ) as listed(ended_as)
      left join ended_claims on ended_claims.ended_as = listed.ended_as
    union all
    select 'pgreprise_batches_unfinished', jsonb_build_object(), batches.unfinished::double precision from batches
    union all
    select 'pgreprise_batches_standing_still', jsonb_build_object(), batches.standing::double precision from batches
    union all
    select 'pgreprise_feed_unread', jsonb_build_object(), count(*)::double precision
      from pgreprise.rerun as act
     where act.feed_position is null
    union all
    select 'pgreprise_archive_bytes', jsonb_build_object(), pgreprise.archive_bytes()::double precision;
end;
$$;

comment on function public.rerun_metrics() is
'Figures for monitors, one row a sample: reports that wait or failed, acts, batches, the archive.';

grant execute on function public.rerun_metrics() to pgreprise_monitor, pgreprise_reader, pgreprise_api, pgreprise_dba;
