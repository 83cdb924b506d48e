-- report_counts(country_id): how many reports there are by country and status: one row for each country, of all or of
-- one, and each of the four statuses, also where there is none. oldest_since is since when the oldest of those that are
-- pending or running has been so, as lost_runs() knows it; null for the others, and where nobody recorded it.
-- It reads the whole of report_outputs without its outputs: call it as often as a person would look. Changes nothing.
-- Raises RR008 no such country, RR017 when the caller's token may not read.
create or replace function public.report_counts(country_id text default null)
returns setof pgreprise.report_count_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read', report_counts.country_id);

  return query
    with counted as materialized (
      select report.country_id::text as country_id, report.status::text as status, count(*) as reports
        from public.report_outputs as report
       where report_counts.country_id is null or report.country_id = report_counts.country_id
       group by report.country_id, report.status
    ),

    waiting as materialized (
      select lost.country_id, lost.status, min(lost.since) as since
        from public.lost_runs(interval '0', 'infinity') as lost
       where report_counts.country_id is null or lost.country_id = report_counts.country_id
       group by lost.country_id, lost.status
    ),

    listed as (
      select country.country_id
        from pgreprise.country as country
       where report_counts.country_id is null or country.country_id = report_counts.country_id
      union
      select counted.country_id from counted
    )

    select listed.country_id, state.status, coalesce(counted.reports, 0), waiting.since
      from listed
     cross join (values (1, 'pending'), (2, 'running'), (3, 'complete'), (4, 'error')) as state(position, status)
      left join counted on counted.country_id = listed.country_id and counted.status = state.status
      left join waiting on waiting.country_id = listed.country_id and waiting.status = state.status
     order by listed.country_id, state.position;
end;
$$;

comment on function public.report_counts(text) is
'How many reports there are by country and status, and since when the oldest of them waits or runs.';

grant execute on function public.report_counts(text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
