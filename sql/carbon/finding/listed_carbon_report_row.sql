-- listed_carbon_report_row: a carbon report without its stats, with its unit and totals, as find_carbon_reports() lists
-- it.
create type pgreprise.listed_carbon_report_row as (
  id bigint,
  unit_id bigint,
  institutional_id text,
  unit_name text,
  carbon_project_id bigint,
  carbon_project_type bigint,
  carbon_report_type text,
  year bigint,
  reference_year bigint,
  overall_status bigint,
  completion_progress text,
  last_updated timestamptz,
  validated_modules bigint,
  totals jsonb
);
