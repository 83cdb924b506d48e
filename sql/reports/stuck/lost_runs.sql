-- lost_runs(older_than, as_of): reports that have been pending or running for longer than older_than at the time
-- as_of, the oldest first: probably the worker that computed them is gone. A report that a worker holds whose lease is
-- good at that time is not lost. since is when the run was started, or else began to wait: in the application's own
-- tables of runs, or as run_times() knows it. It is null where neither is known; these reports come last.
-- worker is the one whose claim is open, and its lease over. Changes nothing; release_stuck_runs() releases them.
-- Raises RR016 for an older_than that is not from 0 to 1000 years, RR017 when the caller's token may not read.
create or replace function public.lost_runs(
  older_than interval default '1 hour', as_of timestamptz default now()
)
returns table (
  report_id bigint,
  country_id text,
  status text,
  run_sequence integer,
  since timestamptz,
  host_run_id text,
  worker text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- The application's times are UTC, with or without a zone of their own.
set timezone = 'UTC'
as $$
begin
  perform pgreprise.enter('reports:read');
  -- A comparison counts 30 days a month. So many months minus as many days look short, but no timestamp is that old.
  if lost_runs.older_than is null or lost_runs.older_than not between interval '0' and interval '1000 years'
    or abs(extract(year from lost_runs.older_than)) > 1000
  then
    raise exception using
      errcode = 'RR016',
      message = 'older_than must be an interval from 0 to 1000 years.',
      detail = jsonb_build_object('older_than', lost_runs.older_than),
      hint = 'select * from lost_runs(interval ''1 hour'')';
  end if;

  if not (select setting.has_run_tables from pgreprise.setting as setting) then
    return query
      select report.id::bigint, report.country_id::text, report.status::text, report.run_sequence, known.since,
          null::text, held.worker
        from public.report_outputs as report
        left join pgreprise.run_time as times
          on times.row_kind = 'report' and times.row_id = report.id and times.run_sequence = report.run_sequence
        left join pgreprise.report_run as earlier
          on earlier.report_id = report.id and earlier.run_sequence = report.run_sequence - 1
        left join pgreprise.claim as held on held.report_id = report.id and held.ended_at is null
       cross join lateral (
         select coalesce(
           case when report.status = 'running' then times.started_at end, earlier.ended_at, times.pending_since
         ) as since
       ) as known
       where report.status in ('pending', 'running')
         and coalesce(known.since + lost_runs.older_than < lost_runs.as_of, true)
         and coalesce(held.lease_until < lost_runs.as_of, true)
       order by known.since nulls last, report.id;
    return;
  end if;

  return query
    select report.id::bigint, report.country_id::text, report.status::text, report.run_sequence, known.since,
        run.id::text, held.worker
      from public.report_outputs as report
      -- The current run is the active one, or else the newest. One that is over tells nothing of a report that waits.
      left join lateral (
        select candidate.id, candidate.status, candidate.started_at, candidate.requested_at
          from public.report_output_runs as candidate
         where candidate.report_output_id = report.id
           and (report.active_run_id is null or candidate.id = report.active_run_id)
         order by candidate.run_sequence desc
         limit 1
      ) as run on run.status in ('pending', 'running')
      left join pgreprise.run_time as times
        on times.row_kind = 'report' and times.row_id = report.id and times.run_sequence = report.run_sequence
      left join pgreprise.report_run as earlier
        on earlier.report_id = report.id and earlier.run_sequence = report.run_sequence - 1
      left join pgreprise.claim as held on held.report_id = report.id and held.ended_at is null
     cross join lateral (
       select coalesce(
         case when report.status = 'running' then coalesce(run.started_at::timestamptz, times.started_at) end,
         run.requested_at::timestamptz, earlier.ended_at, times.pending_since
       ) as since
     ) as known
     where report.status in ('pending', 'running')
       and coalesce(known.since + lost_runs.older_than < lost_runs.as_of, true)
       and coalesce(held.lease_until < lost_runs.as_of, true)
     order by known.since nulls last, report.id;
end;
$$;

comment on function public.lost_runs(interval, timestamptz) is
'Reports that have been pending or running for long, the oldest first; select * from lost_runs(interval ''1 day'').';

grant execute on function public.lost_runs(interval, timestamptz) to pgreprise_reader, pgreprise_api, pgreprise_dba;
