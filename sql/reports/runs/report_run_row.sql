-- report_run_row: a run of a report as report_run_output() returns it. tag is another text whenever anything in
-- the row is another.
create type pgreprise.report_run_row as (
  report_id bigint,
  country_id text,
  run_sequence integer,
  is_current boolean,
  api_version text,
  status text,
  had_output boolean,
  output json,
  error_message text,
  pending_since timestamptz,
  claimed_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer,
  wait_seconds double precision,
  run_seconds double precision,
  tag text
);
