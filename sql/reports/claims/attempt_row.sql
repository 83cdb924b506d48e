-- attempt_row: an attempt of a worker to compute a run, as report_attempts() and open_claims() list it, for people. The
-- id of the claim is not among it: it is the key that lets a worker write.
create type pgreprise.attempt_row as (
  report_id bigint,
  country_id text,
  run_sequence integer,
  attempt integer,
  worker text,
  claimed_at timestamptz,
  heartbeat_at timestamptz,
  lease_until timestamptz,
  progress real,
  message text,
  cancel_requested boolean,
  ended_at timestamptz,
  ended_as text,
  ended_because text,
  counts boolean,
  run_seconds double precision
);
