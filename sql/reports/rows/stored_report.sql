-- stored_report(report_id, country_id): the row of a report as the routines return it, of that country where one is
-- given; no row when there is none.
create or replace function pgreprise.stored_report(report_id bigint, country_id text default null)
returns setof pgreprise.report_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select report.id::bigint, report.country_id::text, report.simulation_1_id::bigint,
        report.simulation_2_id::bigint, report.api_version::text, report.status::text, report.output::json,
        report.error_message::text, report.year::text,
        report.run_sequence
      from public.report_outputs as report
     where report.id = stored_report.report_id
       and (stored_report.country_id is null or report.country_id = stored_report.country_id);
end;
$$;

comment on function pgreprise.stored_report(bigint, text) is 'The row of a report, or none.';
