-- simulation_row: a simulation as the routines return it: the columns of simulations.
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
  run_sequence integer
);
