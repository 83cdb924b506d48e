-- archive_reports(report_ids, keep_outputs): write down the current run of reports, as it is now, in
-- report_run; the caller holds their locks and ends that run. Without keep_outputs the output is left out.
create or replace function pgreprise.archive_reports(report_ids bigint[], keep_outputs boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  wanted_ids   bigint[] := archive_reports.report_ids;
  archived_ids bigint[];
begin
  for attempt in 1..2 loop
    with archived as (
      insert into pgreprise.report_run as run
        (report_id, run_sequence, api_version, status, output, had_output, error_message)
      select report.id, report.run_sequence, report.api_version, report.status,
          case when archive_reports.keep_outputs then report.output::json end, report.output is not null,
          report.error_message
        from public.report_outputs as report
       where report.id = any (own.wanted_ids)
      on conflict on constraint report_run_pkey do nothing
      returning run.report_id
    )

    select coalesce(array_agg(archived.report_id), '{}') into archived_ids from archived;
    exit when cardinality(archived_ids) = cardinality(wanted_ids);

    -- These ids were an earlier row's, too, and its runs stand there.
    wanted_ids := array(
      select wanted.id from unnest(own.wanted_ids) as wanted(id) where wanted.id <> all (own.archived_ids)
    );
    perform pgreprise.skip_used_run_numbers(wanted_ids, '{}');
  end loop;
end;
$$;

comment on function pgreprise.archive_reports(bigint[], boolean) is
'Writes down the current run of reports, which the caller is about to end.';
