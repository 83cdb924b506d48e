-- write_report_state(report_id, status, output, error_message, is_whole): writes the state of the current run of a
-- report, and its times: started_at from running on, finished_at at complete and error. The only routine that changes
-- the status of a run; start_report_runs() starts the next one. A null leaves its column as it is; only status complete
-- clears an error_message that is not given. With is_whole a null clears it.
-- The caller has locked the row, and knows that this state may follow (is_to_be_written).
-- Raises RR022 when a trigger of the host keeps the row as it is.
create or replace function pgreprise.write_report_state(
  report_id bigint,
  status text,
  output json default null,
  error_message text default null,
  is_whole boolean default false
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  written record;
begin
  update public.report_outputs as report
     set status = coalesce(write_report_state.status, report.status),
         output = case
           when write_report_state.is_whole then write_report_state.output
           else coalesce(write_report_state.output, report.output::json)
         end,
         error_message = case
           when write_report_state.is_whole or write_report_state.status = 'complete'
             then write_report_state.error_message
           else coalesce(write_report_state.error_message, report.error_message)
         end
   where report.id = write_report_state.report_id
  returning report.run_sequence, report.status::text as status into written;
  if written.run_sequence is null then
    perform pgreprise.raise_kept_rows('RR022', 'report_outputs', 1, 0);
  end if;

  if not (select setting.has_run_tables from pgreprise.setting as setting)
    or not pgreprise.write_report_host_run(write_report_state.report_id)
  then
    perform pgreprise.keep_run_time('report', write_report_state.report_id, written.run_sequence, written.status);
  end if;
end;
$$;

comment on function pgreprise.write_report_state(bigint, text, json, text, boolean) is
'Writes the state of the current run of a report, and its times.';
