-- report_row: a report as the routines return it: the columns of report_outputs.
create type pgreprise.report_row as (
  id bigint,
  country_id text,
  simulation_1_id bigint,
  simulation_2_id bigint,
  api_version text,
  status text,
  output json,
  error_message text,
  year text,
  run_sequence integer
);
