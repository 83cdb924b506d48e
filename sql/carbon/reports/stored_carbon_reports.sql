-- stored_carbon_reports(report_ids): the carbon reports of these ids as the routines return them, ordered by unit, year
-- and id. Does not check access.
create or replace function pgreprise.stored_carbon_reports(report_ids bigint[])
returns setof pgreprise.carbon_report_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select report.id::bigint, report.year::bigint, report.reference_year::bigint, report.unit_id::bigint,
        report.carbon_project_id::bigint, pgreprise.as_jsonb(report.stats::json), report.last_updated::bigint,
        report.completion_progress::text, report.overall_status::bigint
      from public.carbon_reports as report
     where report.id = any (stored_carbon_reports.report_ids)
     order by report.unit_id, report.year, report.id;
end;
$$;

comment on function pgreprise.stored_carbon_reports(bigint[]) is
'The carbon reports of these ids, as the routines return them.';
