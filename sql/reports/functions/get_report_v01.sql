-- get_report(report_id, country_id): the stored report, of that country where one is given.
-- Creates and changes nothing, also when the row's cache version is not the current one.
-- Raises RR001 when there is no such report, RR008 when there is no such country.
create or replace function public.get_report(report_id bigint, country_id text default null)
returns setof pgreprise.report_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if get_report.country_id is not null then
    perform pgreprise.require_country(get_report.country_id);
  end if;

  return query
    select report.id::bigint, report.country_id::text, report.simulation_1_id::bigint,
        report.simulation_2_id::bigint, report.api_version::text, report.status::text, report.output::json,
        report.error_message::text, report.year::text
      from public.report_outputs as report
     where report.id = get_report.report_id
       and (get_report.country_id is null or report.country_id = get_report.country_id);

  if not found then
    perform pgreprise.raise_report_not_found(get_report.report_id, get_report.country_id);
  end if;
end;
$$;

comment on function public.get_report(bigint, text) is 'The stored report; select * from get_report(42).';

grant execute on function public.get_report(bigint, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
