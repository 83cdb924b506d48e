-- get_validated_totals(report_id): the tonnes and FTE of a carbon report (see carbon_totals). All modules of an explore
-- report count; of other reports only the validated ones. The stored type of the report decides this, not the client.
-- The totals of an id that no report has are empty, as the carbon calculator answers.
-- Raises RR017, RC002 for a caller without access to the report's unit.
create or replace function public.get_validated_totals(report_id bigint)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  found_report record;
begin
  perform pgreprise.enter('reports:read');

  select report.unit_id::bigint as unit_id, project.carbon_report_type::text as report_type into found_report
    from public.carbon_reports as report
    left join public.carbon_projects as project on project.id = report.carbon_project_id
   where report.id = get_validated_totals.report_id;
  if found then
    perform public.require_unit_access(found_report.unit_id);
  end if;

  return pgreprise.carbon_totals(get_validated_totals.report_id,
    validated_only => pgreprise.counts_validated_only(found_report.report_type));
end;
$$;

comment on function public.get_validated_totals(bigint) is
'The tonnes and FTE of the validated modules of a carbon report, or of all modules of an explore report.';

grant execute on function public.get_validated_totals(bigint) to pgreprise_api, pgreprise_dba;
