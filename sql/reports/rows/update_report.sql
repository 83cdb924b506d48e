-- update_report(report_id, country_id, status, output, error_message, run_sequence): writes the values that are not
-- null and returns the row. A null leaves its column as it is, because the current application expects that; to clear
-- columns use reset_report or rerun_report.
-- A worker gives back the run_sequence that it read with the row. If that run has ended in the meantime, the write is
-- refused. A write without run_sequence is accepted in any run.
-- Raises RR001 no such report, RR008 no such country, RR011 the run has ended, RR016 values that cannot be written,
-- RR017 the caller's token may not.
create or replace function public.update_report(
  report_id bigint,
  country_id text default null,
  status text default null,
  output json default null,
  error_message text default null,
  run_sequence bigint default null
)
returns setof pgreprise.report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:write', update_report.country_id);
  perform pgreprise.check_update(update_report.status, update_report.output, update_report.error_message);

  return query
    update public.report_outputs as report
       set status = coalesce(update_report.status, report.status),
           output = coalesce(update_report.output, report.output::json),
           error_message = coalesce(update_report.error_message, report.error_message)
     where report.id = update_report.report_id
       and (update_report.country_id is null or report.country_id = update_report.country_id)
       and (update_report.run_sequence is null or report.run_sequence = update_report.run_sequence)
    returning report.id::bigint, report.country_id::text, report.simulation_1_id::bigint,
        report.simulation_2_id::bigint, report.api_version::text, report.status::text, report.output::json,
        report.error_message::text, report.year::text,
        report.run_sequence;

  if not found then
    perform pgreprise.raise_run_not_current('report', current_row.id, current_row.run_sequence,
        update_report.run_sequence)
      from pgreprise.stored_report(update_report.report_id, update_report.country_id) as current_row;
    perform pgreprise.raise_not_found('report', update_report.report_id, update_report.country_id);
  end if;
end;
$$;

comment on function public.update_report(bigint, text, text, json, text, bigint) is
'Writes the values that are not null to a report and returns it.';

grant execute on function public.update_report(bigint, text, text, json, text, bigint)
to pgreprise_api, pgreprise_dba;
