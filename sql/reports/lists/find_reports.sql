-- find_reports(country_id, status, older_than, report_type, api_version, year, after_report_id, max_rows, as_of,
-- report_id): the reports that meet every condition that is given, by id, without their outputs; report_id is that
-- report only. At most max_rows of them; the next page begins after the id of the last one. Changes nothing.
-- older_than: at the time as_of they have been pending or running, or finished, for longer than this. A report of which
-- nobody recorded when is none of them; lost_runs() lists those that wait. The times of each report that meets the
-- other conditions are looked up until the page is full, so on a large table give a status as well.
-- report_type: household or geography, the population type of the first simulation; null where the report has no such
-- simulation. The times, the attempt and the seconds are those of run_times() for the current run, and since is when
-- its status began.
-- Raises RR008 no such country, RR016 when max_rows is not between 1 and 1000, older_than is not from 0 to 1000 years,
-- or status or report_type is none of those that reports have; RR017 when the caller's token may not read.
create or replace function public.find_reports(
  country_id text default null,
  status text default null,
  older_than interval default null,
  report_type text default null,
  api_version text default null,
  year text default null,
  after_report_id bigint default null,
  max_rows bigint default 100,
  as_of timestamptz default now(),
  report_id bigint default null
)
returns setof pgreprise.listed_report_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Which conditions are given differs from call to call, and so does the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  refused text;
begin
  perform pgreprise.enter('reports:read', find_reports.country_id);
  perform pgreprise.check_max_rows(find_reports.max_rows);
  refused := case
    -- A comparison counts 30 days a month. So many months minus as many days look short, but no timestamp is that old.
    when find_reports.older_than not between interval '0' and interval '1000 years'
      or abs(extract(year from find_reports.older_than)) > 1000
      then 'older_than must be an interval from 0 to 1000 years.'
    when find_reports.status not in ('pending', 'running', 'complete', 'error')
      then format('Status "%s" is not one of pending, running, complete and error.', left(find_reports.status, 100))
    when find_reports.report_type not in ('household', 'geography')
      then format('Type "%s" is not one of household and geography.', left(find_reports.report_type, 100))
  end;
  if refused is not null then
    raise exception using
      errcode = 'RR016',
      message = refused,
      detail = jsonb_strip_nulls(jsonb_build_object('older_than', find_reports.older_than,
        'status', left(find_reports.status, 100), 'report_type', left(find_reports.report_type, 100))),
      hint = 'select * from find_reports(status => ''running'', older_than => interval ''1 hour'')';
  end if;

  return query
    with page as materialized (
      select report.id::bigint as id
        from public.report_outputs as report
       where (find_reports.report_id is null or report.id = find_reports.report_id)
         and (find_reports.country_id is null or report.country_id = find_reports.country_id)
         and (find_reports.status is null or report.status = find_reports.status)
         and (find_reports.api_version is null or report.api_version = find_reports.api_version)
         and (find_reports.year is null or report.year = find_reports.year)
         and (find_reports.after_report_id is null or report.id > find_reports.after_report_id)
         and (find_reports.report_type is null or exists (
           select from public.simulations as simulation
            where simulation.id = report.simulation_1_id
              and simulation.country_id = report.country_id
              and simulation.population_type = find_reports.report_type
         ))
         and (find_reports.older_than is null or exists (
           select
             from pgreprise.run_times('report', report.id, report.run_sequence) as times
            where pgreprise.status_since(report.status::text, times.pending_since, times.started_at,
                times.finished_at) + find_reports.older_than < find_reports.as_of
         ))
       order by report.id
       limit find_reports.max_rows
    )

    select report.id::bigint, report.country_id::text, simulation.population_type::text, report.year::text,
        report.api_version::text, report.status::text, report.error_message::text, report.run_sequence,
        report.simulation_1_id::bigint, report.simulation_2_id::bigint, times.pending_since, times.started_at,
        times.finished_at, times.attempt,
        pgreprise.status_since(report.status::text, times.pending_since, times.started_at, times.finished_at),
        times.wait_seconds, times.run_seconds
      from public.report_outputs as report
      left join public.simulations as simulation
        on simulation.id = report.simulation_1_id
       and simulation.country_id = report.country_id
       and simulation.population_type in ('household', 'geography')
      left join lateral pgreprise.run_times('report', report.id, report.run_sequence) as times on true
     -- An array, so that they are read by their key: a merge would read all reports before the page.
     where report.id = any (array(select page.id from page))
     order by report.id;
end;
$$;

comment on function public.find_reports(
  text, text, interval, text, text, text, bigint, bigint, timestamptz, bigint
) is
'The reports that meet conditions, by id; select * from find_reports(status => ''error'', max_rows => 20).';

grant execute on function public.find_reports(
  text, text, interval, text, text, text, bigint, bigint, timestamptz, bigint
) to pgreprise_reader, pgreprise_api, pgreprise_dba;
