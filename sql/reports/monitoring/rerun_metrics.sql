-- rerun_metrics(): figures for monitors: one row a sample, with the name of the metric, its labels and its value. Names
-- and labels are those of Prometheus: a counter ends in _total, a time is in seconds, a size in bytes. What does not
-- exist counts as 0, so that an alert sees it.
-- It counts the reports (report_counts), which reads the whole of report_outputs without its outputs: call it as often
-- as a person would look, about once or twice a minute, and not for every scrape of many. Changes nothing.
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
    with counted as materialized (
      select counts.country_id, counts.status, counts.reports, counts.oldest_since
        from public.report_counts() as counts
       where counts.status <> 'complete'
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

    select 'pgreprise_reports', jsonb_build_object('country', counted.country_id, 'status', counted.status),
        counted.reports::double precision
      from counted
    union all
    select format('pgreprise_oldest_%s_seconds', counted.status),
        jsonb_build_object('country', counted.country_id),
        greatest(extract(epoch from now() - counted.oldest_since), 0)::double precision
      from counted
     where counted.status in ('pending', 'running')
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
