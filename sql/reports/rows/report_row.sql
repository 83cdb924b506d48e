-- report_row: a report as the routines return it: the columns of report_outputs; the times of the run that is shown
-- (requested_at, started_at, finished_at): that of the application's own tables of runs where it has them (shown_run),
-- else the current one; and of the current run what run_times() tells. What the application's table has no column for
-- is null. tag is another text whenever anything in the row is another.
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
  run_sequence integer,
  report_kind text,
  report_spec_json json,
  report_spec_schema_version bigint,
  report_spec_status text,
  active_run_id text,
  latest_successful_run_id text,
  requested_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  pending_since timestamptz,
  claimed_at timestamptz,
  attempt integer,
  wait_seconds double precision,
  run_seconds double precision,
  tag text
);
