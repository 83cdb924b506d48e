-- add_unique_constraints: one project of a unit and type, one report of a project and year. One that is there
-- already stays the host's (core/adoption/check_tables has looked at its columns); what is added is written down.
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
