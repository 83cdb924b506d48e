-- report_output_runs: the application's own table of the runs of its reports. Most databases with pgreprise do not have
-- it; the import creates it where the source has it. A table that exists already is kept as it is.
create table if not exists public.report_output_runs (
  id varchar(36) not null,
  report_output_id integer not null,
  run_sequence integer not null,
  status varchar(32) not null,
  output json,
  error_message text,
  trigger_type varchar(32) not null,
  requested_at timestamp,
  started_at timestamp,
  finished_at timestamp,
  source_run_id varchar(36),
  report_spec_snapshot_json json,
  country_package_version varchar(255),
  policyengine_version varchar(255),
  data_version varchar(255),
  runtime_app_name varchar(255),
  report_cache_version varchar(255),
  simulation_cache_version varchar(255),
  requested_version_override varchar(255),
  resolved_dataset text,
  resolved_options_hash text,
  constraint report_output_runs_pkey primary key (id),
  constraint report_output_run_sequence_idx unique (report_output_id, run_sequence)
);
