-- listed_report_row: a report without its output, as find_reports() lists it.
create type pgreprise.listed_report_row as (
  id bigint,
  country_id text,
  report_type text,
  year text,
  api_version text,
  status text,
  error_message text,
  run_sequence integer,
  simulation_1_id bigint,
  simulation_2_id bigint,
  pending_since timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer,
  since timestamptz,
  wait_seconds double precision,
  run_seconds double precision
);
