-- drop_unique_constraints: the downgrade of add_unique_constraints.
-- It drops the constraints that the upgrade added. A constraint of the host stays.
do $$
begin
  if exists (
    select from pgreprise.created_object as entry
     where entry.domain = 'carbon' and entry.name = 'uq_carbon_reports_project_year'
  ) then
    alter table public.carbon_reports drop constraint uq_carbon_reports_project_year;
  end if;
  if exists (
    select from pgreprise.created_object as entry
     where entry.domain = 'carbon' and entry.name = 'uq_carbon_projects_unit_type'
  ) then
    alter table public.carbon_projects drop constraint uq_carbon_projects_unit_type;
  end if;
  delete from pgreprise.created_object as entry
   where entry.domain = 'carbon' and entry.name in ('uq_carbon_reports_project_year', 'uq_carbon_projects_unit_type');
end;
$$;
