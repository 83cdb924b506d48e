-- add_unique_constraints: a unit has one project of a type, and a project has one report of a year. A constraint that
-- exists stays as it is (core/adoption/check_tables has checked its columns). A constraint that is added is recorded in
-- pgreprise.created_object, so that the downgrade drops it.
do $$
begin
  if not exists (
    select from pg_constraint as entry
     where entry.conrelid = 'public.carbon_projects'::regclass and entry.conname = 'uq_carbon_projects_unit_type'
  ) then
    alter table public.carbon_projects
    add constraint uq_carbon_projects_unit_type unique (unit_id, carbon_report_type);
    insert into pgreprise.created_object (domain, name) values ('carbon', 'uq_carbon_projects_unit_type');
  end if;

  if not exists (
    select from pg_constraint as entry
     where entry.conrelid = 'public.carbon_reports'::regclass and entry.conname = 'uq_carbon_reports_project_year'
  ) then
    alter table public.carbon_reports
    add constraint uq_carbon_reports_project_year unique (carbon_project_id, year);
    insert into pgreprise.created_object (domain, name) values ('carbon', 'uq_carbon_reports_project_year');
  end if;
end;
$$;
