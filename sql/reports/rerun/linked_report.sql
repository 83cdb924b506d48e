-- linked_report: a report with what its simulations and its country say about it, as linked_reports() returns it.
-- api_version is the version of the report; the other versions are the current ones of its country. report_type is the
-- population type of simulation 1. cache_key is null unless that is 'geography'. errcode, message, detail and hint
-- tell why the report cannot be rerun; they are null where it can be.
create type pgreprise.linked_report as (
  report_id bigint,
  country_id text,
  year text,
  api_version text,
  status text,
  run_sequence integer,
  report_type text,
  simulation_1_id bigint,
  simulation_2_id bigint,
  simulation_ids bigint array,
  cache_key pgreprise.cache_key,
  economy_impact_version text,
  report_output_version text,
  package_version text,
  errcode text,
  message text,
  detail jsonb,
  hint text
);
