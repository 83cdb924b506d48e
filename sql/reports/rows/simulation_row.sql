-- simulation_row: a simulation as the routines return it: the columns of simulations. What the application's table has
-- no column for is null.
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
  latest_successful_run_id text
);
