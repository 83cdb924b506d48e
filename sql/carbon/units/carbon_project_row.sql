-- carbon_project_row: a carbon project as the routines return it, with the columns of carbon_projects.
create type pgreprise.carbon_project_row as (
  id bigint,
  unit_id bigint,
  carbon_report_type text,
  start_year bigint,
  end_year bigint,
  name text,
  is_viewable_by_unit_members boolean
);
