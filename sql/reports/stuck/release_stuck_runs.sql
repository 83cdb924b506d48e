-- release_stuck_runs(older_than, max_rows, country_id, dry_run): puts runs that nobody computes any more back to
-- pending, at most max_rows: those whose worker has a claim and was silent for longer than its lease, and, for workers
-- that do not claim, reports that have been running for longer than older_than. With dry_run it only says which. Call
-- it from cron: select * from release_stuck_runs(interval '6 hours').
-- Choose older_than longer than any computation takes: a worker that is still at work would write its result without a
-- claim, and a second one would compute the same. A report of which nobody knows since when it runs is listed and never
-- released; rerun it.
-- result: released, locked (somebody holds a row; call again), gone, unknown since when, refused (by a trigger or
-- constraint of the application, with its message); for a claim how it ended and the status of the report. With
-- dry_run: lease over, to be released, unknown since when. rerun_history() lists what was released; the claims have
-- their own history.
-- Raises RR008 no such country, RR016 for an older_than not from 0 to 1000 years, or max_rows not between 1 and 10000;
-- RR017 the caller's token may not, RR022 a trigger of the host keeps a row as it is; seldom 55P03, where many
-- rows are written at once: call it again.
create or replace function public.release_stuck_runs(
  older_than interval, max_rows integer default 100, country_id text default null, dry_run boolean default false
)
returns table (
  report_id bigint, country text, run_sequence integer, worker text, since timestamptz, result text
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  longest text;
begin
  perform pgreprise.enter('reports:rerun', release_stuck_runs.country_id);
  -- A comparison counts 30 days a month. So many months minus as many days look short, but no timestamp is that old.
  if not coalesce(release_stuck_runs.older_than between interval '0' and interval '1000 years'
      and abs(extract(year from release_stuck_runs.older_than)) <= 1000, false)
    or not coalesce(release_stuck_runs.max_rows between 1 and 10000, false)
  then
    raise exception using
      errcode = 'RR016',
      message = 'older_than must be an interval from 0 to 1000 years, and max_rows between 1 and 10000.',
      detail = jsonb_build_object('older_than', release_stuck_runs.older_than,
        'max_rows', release_stuck_runs.max_rows),
      hint = 'Nothing was changed. select * from release_stuck_runs(interval ''6 hours'', dry_run => true)';
  end if;

  longest := pgreprise.limit_lock_wait(interval '100 ms');
  return query
    select released.report_id, released.country_id_of, released.run_sequence, released.worker, released.since,
        released.result
      from pgreprise.release_stuck(release_stuck_runs.older_than, release_stuck_runs.max_rows,
        release_stuck_runs.country_id, coalesce(release_stuck_runs.dry_run, false), clock_timestamp()) as released;
  perform set_config('lock_timeout', longest, true);
end;
$$;

comment on function public.release_stuck_runs(interval, integer, text, boolean) is
'Puts runs that nobody computes any more back to pending: select * from release_stuck_runs(interval ''6 hours'').';

grant execute on function public.release_stuck_runs(interval, integer, text, boolean) to pgreprise_api, pgreprise_dba;
