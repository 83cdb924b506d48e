-- archive_reports(report_ids, keep_outputs): write down the current run of reports, as it is now, in
-- report_run; the caller holds their locks and ends that run. Without keep_outputs the output is left out.
create or replace function pgreprise.archive_reports(report_ids bigint[], keep_outputs boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgreprise.report_run as run
    (report_id, run_sequence, api_version, status, output, had_output, error_message)
  select report.id, report.run_sequence, report.api_version, report.status,
      case when archive_reports.keep_outputs then report.output::json end, report.output is not null,
      report.error_message
    from public.report_outputs as report
   where report.id = any (archive_reports.report_ids);
end;
$$;

comment on function pgreprise.archive_reports(bigint[], boolean) is
'Writes down the current run of reports, which the caller is about to end.';
