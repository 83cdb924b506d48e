-- update_report(report_id, country_id, status, output, error_message): write the values that are not
-- null and return the row. A null leaves its column as it is, as the current application expects; to
-- clear columns there are reset_report and rerun_report.
-- Raises RR001 no such report, RR008 no such country, RR016 values that cannot be written.
create or replace function public.update_report(
  report_id bigint,
  country_id text default null,
  status text default null,
  output json default null,
  error_message text default null
)
returns setof pgreprise.report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.bound_lock_wait();
  if update_report.country_id is not null then
    perform pgreprise.require_country(update_report.country_id);
  end if;
  perform pgreprise.check_update(update_report.status, update_report.output, update_report.error_message);

  return query
    update public.report_outputs as report
       set status = coalesce(update_report.status, report.status),
           output = coalesce(update_report.output, report.output::json),
           error_message = coalesce(update_report.error_message, report.error_message)
     where report.id = update_report.report_id
       and (update_report.country_id is null or report.country_id = update_report.country_id)
    returning report.id::bigint, report.country_id::text, report.simulation_1_id::bigint,
        report.simulation_2_id::bigint, report.api_version::text, report.status::text, report.output::json,
        report.error_message::text, report.year::text;

  if not found then
    perform pgreprise.raise_report_not_found(update_report.report_id, update_report.country_id);
  end if;
end;
$$;

comment on function public.update_report(bigint, text, text, json, text) is
'Writes the values that are not null to a report and returns it.';

grant execute on function public.update_report(bigint, text, text, json, text) to pgreprise_api, pgreprise_dba;
