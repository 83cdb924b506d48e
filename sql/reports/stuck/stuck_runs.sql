-- stuck_runs(older_than, as_of, country_id): reports that have been running for longer than older_than at the time
-- as_of, and that no open claim holds; the oldest first. since is null where nobody knows since when; these come last,
-- and are listed whatever older_than is. For workers that claim, sweep_claims() does it.
create or replace function pgreprise.stuck_runs(
  older_than interval, as_of timestamptz, country_id text default null
)
returns table (report_id bigint, country_id_of text, run_sequence integer, since timestamptz)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select report.id::bigint, report.country_id::text, report.run_sequence, times.started_at
      from public.report_outputs as report
     cross join lateral pgreprise.run_times('report', report.id, report.run_sequence) as times
     where report.status = 'running'
       and (stuck_runs.country_id is null or report.country_id = stuck_runs.country_id)
       and not exists (
         select from pgreprise.claim as claim where claim.report_id = report.id and claim.ended_at is null
       )
       and coalesce(times.started_at < stuck_runs.as_of - stuck_runs.older_than, true)
     order by times.started_at nulls last, report.id;
end;
$$;

comment on function pgreprise.stuck_runs(interval, timestamptz, text) is
'Reports that have been running for long without an open claim, the oldest first.';
