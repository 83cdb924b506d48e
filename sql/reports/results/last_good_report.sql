-- last_good_report(report_id, country_id, known_tags): the newest run of a report that has a complete output, which may
-- be an earlier one: what an application shows while a newer run is pending or running, and after that has failed. One
-- row. Changes nothing.
-- is_stale: whether another version than the run's is current for the country; null where none was ever set. The times
-- and the attempt are those of run_times(), null where nobody recorded them. Where the current run is another one,
-- newer_run_sequence and newer_status tell which, and newer_since since when it is pending or running, or when it
-- finished. A JSON null is no output. The values stay as they are until somebody works on the report.
-- Where the caller has the row already, as known_tags tell, its output is null.
-- Raises RR001 no such report, RR008 no such country, RR017 the caller's token may not read, RR019 when the report has
-- no run with a complete output, or its output was purged.
create or replace function public.last_good_report(
  report_id bigint, country_id text default null, known_tags text[] default null
)
returns setof pgreprise.good_run_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  stored   pgreprise.report_row;
  good_run integer;
begin
  perform pgreprise.enter('reports:read', last_good_report.country_id);
  select found_row.* into stored
    from pgreprise.stored_report(last_good_report.report_id, last_good_report.country_id) as found_row;
  if not found then
    perform pgreprise.raise_not_found('report', last_good_report.report_id, last_good_report.country_id);
  end if;

  if stored.status = 'complete' and pgreprise.is_output(stored.output) then
    good_run := stored.run_sequence;
  else
    select run.run_sequence into good_run
      from pgreprise.report_run as run
     where run.report_id = last_good_report.report_id
       -- Later runs belong to a deleted report that had this id.
       and run.run_sequence < own.stored.run_sequence
       and run.status = 'complete'
       and pgreprise.is_output(run.output)
     order by run.run_sequence desc
     limit 1;
  end if;
  if good_run is null then
    raise exception using
      errcode = 'RR019',
      message = format('Report #%s has no run with a complete output.', stored.id),
      detail = jsonb_build_object('report_id', stored.id, 'current_run_sequence', stored.run_sequence,
        'status', stored.status),
      hint = format('Its current run %s is at status %s. select * from report_history(%s) lists all runs.',
        stored.run_sequence, stored.status, stored.id);
  end if;

  return query
    select good.report_id, good.country_id, good.run_sequence, good.is_current, good.api_version,
        shown.is_stale,
        case when not pgreprise.is_known_tag(shown.tag, last_good_report.known_tags) then good.output end,
        good.pending_since, good.started_at, good.finished_at, good.attempt, newer.run_sequence, newer.status,
        newer.since, shown.tag
      from public.report_run_output(last_good_report.report_id, own.good_run) as good
      left join pgreprise.country as country on country.country_id = good.country_id
      left join lateral (
        select own.stored.run_sequence, own.stored.status,
            pgreprise.status_since(own.stored.status, times.pending_since, times.started_at, times.finished_at) as since
          from pgreprise.run_times('report', own.stored.id, own.stored.run_sequence) as times
      ) as newer on not good.is_current
     cross join lateral (
       select good.api_version <> country.report_output_version as is_stale,
           md5(concat_ws(' ', good.tag, (good.api_version <> country.report_output_version)::text,
             hash_record_extended(newer.*, 0))) as tag
     ) as shown;
end;
$$;

comment on function public.last_good_report(bigint, text, text[]) is
'The newest run of a report that has a complete output; select * from last_good_report(42).';

grant execute on function public.last_good_report(bigint, text, text[])
to pgreprise_reader, pgreprise_api, pgreprise_dba;
