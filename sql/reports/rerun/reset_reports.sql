-- reset_reports(report_ids, keep_outputs): end the current run of reports, which is archived, and start the
-- next: pending, without output and error. What a reset is, for the single rerun and the batch alike.
-- The caller holds the locks. Returns the numbers of the runs that it started, by id.
create or replace function pgreprise.reset_reports(report_ids bigint[], keep_outputs boolean)
returns integer[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  started_runs integer[];
begin
  perform pgreprise.archive_reports(reset_reports.report_ids, reset_reports.keep_outputs);

  with reset as (
    update public.report_outputs as report
       set status = 'pending', output = null, error_message = null, run_sequence = report.run_sequence + 1
     where report.id = any (reset_reports.report_ids)
    returning report.id, report.run_sequence
  )

  select array_agg(reset.run_sequence order by reset.id) into started_runs from reset;
  return started_runs;
end;
$$;

comment on function pgreprise.reset_reports(bigint[], boolean) is
'Archives the current run of reports and starts the next, pending.';
