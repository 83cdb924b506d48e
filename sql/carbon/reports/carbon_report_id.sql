-- carbon_report_id(unit_id, year, report_type): the id of a unit's report of a type and a year, or null.
-- It must be stable: then the statement that calls it and reads the report sees the same state of the database, even
-- when another transaction refreshes the report at that moment.
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
'The id of a unit''s report of a type and a year, or null.';
