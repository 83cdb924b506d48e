-- carbon_report_row: a carbon report as the routines return it, with the columns of carbon_reports.
create type pgreprise.carbon_report_row as (
  id bigint,
  year bigint,
  reference_year bigint,
  unit_id bigint,
  carbon_project_id bigint,
  stats jsonb,
  last_updated bigint,
  completion_progress text,
  overall_status bigint
);
