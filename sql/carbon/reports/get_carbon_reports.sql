-- get_carbon_reports(unit_id): a unit's Calculator reports, ordered by year. Reports of other types are left out.
-- Raises RR017, RC001, RC002.
create or replace function public.get_carbon_reports(unit_id bigint)
returns setof pgreprise.carbon_report_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  perform public.require_unit_access(get_carbon_reports.unit_id);

  return query
    select stored.*
      from pgreprise.stored_carbon_reports(array(
        select report.id::bigint
          from public.carbon_projects as project
          join public.carbon_reports as report on report.carbon_project_id = project.id
         where project.unit_id = get_carbon_reports.unit_id and project.carbon_report_type = 'Calculator'
      )) as stored;
end;
$$;

comment on function public.get_carbon_reports(bigint) is 'A unit''s Calculator reports, ordered by year.';

grant execute on function public.get_carbon_reports(bigint) to pgreprise_api, pgreprise_dba;
