-- claim_row: a claim as claim_report() gives it to a worker: what is to be computed, and until when the worker may be
-- silent. lease_seconds_left is for workers, whose clocks differ from that of the database.
-- simulations: [{"simulation_id", "run_sequence", "status", "policy_id", "population_id", "population_type",
-- "computes"}, ...], in the order of the links; computes: the worker has to compute it and finish it before the report.
create type pgreprise.claim_row as (
  claim_id uuid,
  report_id bigint,
  country_id text,
  run_sequence integer,
  attempt integer,
  worker text,
  lease_until timestamptz,
  lease_seconds_left double precision,
  report_type text,
  year text,
  region text,
  report_spec_json json,
  simulations jsonb
);
