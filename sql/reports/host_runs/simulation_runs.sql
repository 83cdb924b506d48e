-- simulation_runs: the application's own table of the runs of its simulations; see report_output_runs.
-- A table that exists already is kept as it is.
create table if not exists public.simulation_runs (
  id varchar(36) not null,
  simulation_id integer not null,
  report_output_run_id varchar(36),
  input_position integer,
  run_sequence integer not null,
  status varchar(32) not null,
  output json,
  error_message text,
  trigger_type varchar(32) not null,
  requested_at timestamp,
  started_at timestamp,
  finished_at timestamp,
  source_run_id varchar(36),
  simulation_spec_snapshot_json json,
  country_package_version varchar(255),
  policyengine_version varchar(255),
  data_version varchar(255),
  runtime_app_name varchar(255),
  simulation_cache_version varchar(255),
  constraint simulation_runs_pkey primary key (id),
  constraint simulation_run_sequence_idx unique (simulation_id, run_sequence)
);
