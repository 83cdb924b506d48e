-- carbon_report_id(unit_id, year, report_type): the report of a unit's project of a type and a year, or null.
-- Stable on purpose: what reads the report then sees it as this did, also while it is being refreshed.
create or replace function pgreprise.carbon_report_id(unit_id bigint, year bigint, report_type text)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select report.id
      from public.carbon_projects as project
      join public.carbon_reports as report on report.carbon_project_id = project.id
     where project.unit_id = carbon_report_id.unit_id
       and project.carbon_report_type = carbon_report_id.report_type::public.carbon_report_type_enum
       and report.year = carbon_report_id.year
  );
end;
$$;

comment on function pgreprise.carbon_report_id(bigint, bigint, text) is
'The id of a unit''s report of a type and year, or null.';
