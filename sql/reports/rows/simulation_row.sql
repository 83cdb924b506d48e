-- simulation_row: a simulation as the routines return it: the columns of simulations, and what run_times() tells of its
-- current run. What the application's table has no column for is null.
create type pgreprise.simulation_row as (
  id bigint,
  country_id text,
  api_version text,
  population_id text,
  population_type text,
  policy_id bigint,
  status text,
  output json,
  error_message text,
  run_sequence integer,
  simulation_spec_json json,
  simulation_spec_schema_version bigint,
  active_run_id text,
  latest_successful_run_id text,
  pending_since timestamptz,
  claimed_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer,
  wait_seconds double precision,
  run_seconds double precision
);
