-- get_validated_totals(report_id, carbon_project_type): the tonnes and FTE of a carbon report (see carbon_totals). All
-- modules of an explore report count; of other reports only the validated ones. The stored type of the report decides
-- this, not the client: carbon_project_type is only checked to be one that exists. The totals of an id that no report
-- has are empty.
-- Raises RR017, RC005, RC002 for a caller without access to the report's unit.
create or replace function public.get_validated_totals(report_id bigint, carbon_project_type bigint default 0)
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
  perform pgreprise.carbon_report_type(get_validated_totals.carbon_project_type);

  select report.unit_id::bigint as unit_id, project.carbon_report_type::text as report_type into found_report
    from public.carbon_reports as report
    left join public.carbon_projects as project on project.id = report.carbon_project_id
   where report.id = get_validated_totals.report_id;
  if found then
    perform public.require_unit_access(found_report.unit_id);
  end if;

  return pgreprise.carbon_totals(get_validated_totals.report_id,
    validated_only => found_report.report_type is distinct from 'Simulator_Explore');
end;
$$;

comment on function public.get_validated_totals(bigint, bigint) is
'The tonnes and FTE of the validated modules of a carbon report, or of all modules of an explore report.';

grant execute on function public.get_validated_totals(bigint, bigint) to pgreprise_api, pgreprise_dba;
