-- good_run_row: a run of a report with a complete output, and the newer run, as last_good_report() returns them. tag
-- is another text whenever anything in the row is another.
create type pgreprise.good_run_row as (
  report_id bigint,
  country_id text,
  run_sequence integer,
  is_current boolean,
  api_version text,
  is_stale boolean,
  output json,
  pending_since timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer,
  newer_run_sequence integer,
  newer_status text,
  newer_since timestamptz,
  tag text
);
