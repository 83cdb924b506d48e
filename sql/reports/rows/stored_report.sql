-- stored_report(report_id, country_id, known_tags): the row of a report as the routines return it, of that country
-- where one is given; no row when there is none. All routines that return a report read it here. Where the caller has
-- the row already, which is_known_tag() tells, its output is null, and is not read from disk.
-- The tag is that of the version of the row, which each write changes, and of what stands in other tables; as hashes,
-- because the text of a time depends on settings.
-- The application's table may lack some columns, today or until its next migration. A name without a table binds to
-- the innermost row that has a column of this name: to that of "present", which has the table's columns, or else to
-- "absent", where all of them are null. So the statement is the same for every age of the table, and needs no look
-- into the catalog: PostgreSQL plans it anew when the table changes. stored_simulation() does the same.
create or replace function pgreprise.stored_report(
  report_id bigint, country_id text default null, known_tags text[] default null
)
returns setof pgreprise.report_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The tables of runs are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
begin
  return query
    select report.id::bigint, report.country_id::text, report.simulation_1_id::bigint,
        report.simulation_2_id::bigint, report.api_version::text, report.status::text,
        case when not pgreprise.is_known_tag(tagged.tag, stored_report.known_tags) then report.output::json end,
        report.error_message::text, report.year::text, report.run_sequence, host.*,
        coalesce(shown.requested_at, times.pending_since), coalesce(shown.started_at, times.started_at),
        coalesce(shown.finished_at, times.finished_at), times.pending_since, times.claimed_at, times.attempt,
        times.wait_seconds, times.run_seconds, tagged.tag
      from public.report_outputs as report
     cross join (
       values (null::text, null::json, null::bigint, null::text, null::text, null::text)
     ) as absent (
       report_kind, report_spec_json, report_spec_schema_version, report_spec_status, active_run_id,
       latest_successful_run_id
     )
     cross join lateral (
       select report_kind::text, report_spec_json::json, report_spec_schema_version::bigint,
           report_spec_status::text, active_run_id::text, latest_successful_run_id::text
         from (select report.*) as present
     ) as host
      left join lateral pgreprise.shown_run(report.id, report.status::text, host.active_run_id,
        host.latest_successful_run_id) as shown on true
     cross join lateral pgreprise.run_times('report', report.id, report.run_sequence) as times
     cross join lateral (
       select md5(concat_ws(' ', report.xmin, report.ctid, hash_record_extended(shown.*, 0),
           hash_record_extended(times.*, 0))) as tag
     ) as tagged
     where report.id = stored_report.report_id
       and (stored_report.country_id is null or report.country_id = stored_report.country_id);
end;
$$;

comment on function pgreprise.stored_report(bigint, text, text[]) is 'The row of a report, or none.';
