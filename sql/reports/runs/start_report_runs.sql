-- start_report_runs(report_ids, keep_outputs, values ...): ends the current run of reports, archives it in
-- report_run, and starts the next run with these values: pending and empty for a rerun or a reset, the values of an
-- earlier run for an undo. A null api_version keeps the version of the row. Without keep_outputs the output of the run
-- that ends is not archived. The caller has locked the rows.
-- Returns the numbers of the runs that it started, in the order of the ids.
-- Raises RR022 when a trigger of the host keeps a row as it is.
create or replace function pgreprise.start_report_runs(
  report_ids bigint[],
  keep_outputs boolean,
  status text default 'pending',
  output json default null,
  error_message text default null,
  api_version text default null
)
returns integer[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  wanted_ids   bigint[] := start_report_runs.report_ids;
  started_ids  bigint[];
  started_runs integer[];
begin
  for attempt in 1..2 loop
    with ended as (
      insert into pgreprise.report_run as run
        (report_id, run_sequence, api_version, status, output, had_output, error_message)
      select report.id, report.run_sequence, report.api_version, report.status,
          case when start_report_runs.keep_outputs then report.output::json end, report.output is not null,
          report.error_message
        from public.report_outputs as report
       where report.id = any (own.wanted_ids)
      on conflict on constraint report_run_pkey do nothing
      returning run.report_id
    ),

    started as (
      update public.report_outputs as report
         set status = start_report_runs.status,
             output = start_report_runs.output,
             error_message = start_report_runs.error_message,
             api_version = coalesce(start_report_runs.api_version, report.api_version),
             run_sequence = report.run_sequence + 1
       where report.id = any (array(select ended.report_id from ended))
      returning report.id, report.run_sequence, report.status::text as status
    )

    select coalesce(array_agg(started.id::bigint), '{}'), array_agg(started.run_sequence order by started.id)
      into started_ids, started_runs
      from started
     where started.status = start_report_runs.status;
    if attempt = 1 and cardinality(started_ids) = cardinality(wanted_ids) then
      return started_runs;
    end if;

    -- The others have the id of a deleted row, whose archived runs have their numbers.
    wanted_ids := array(
      select wanted.id from unnest(own.wanted_ids) as wanted(id) where wanted.id <> all (own.started_ids)
    );
    exit when cardinality(wanted_ids) = 0;
    perform pgreprise.skip_used_run_numbers(wanted_ids, '{}');
  end loop;
  if cardinality(wanted_ids) > 0 then
    perform pgreprise.raise_kept_rows('RR022', 'report_outputs', cardinality(start_report_runs.report_ids),
      cardinality(start_report_runs.report_ids) - cardinality(wanted_ids));
  end if;

  return array(
    select report.run_sequence
      from public.report_outputs as report
     where report.id = any (start_report_runs.report_ids)
     order by report.id
  );
end;
$$;

comment on function pgreprise.start_report_runs(bigint[], boolean, text, json, text, text) is
'Archives the current run of reports and starts the next.';
