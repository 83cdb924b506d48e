-- history_row: a row of rerun_history(): one act.
create type pgreprise.history_row as (
  rerun_id bigint,
  kind text,
  report_id bigint,
  country_id text,
  report_type text,
  run_sequence integer,
  simulation_ids bigint array,
  economy_cache_rows_deleted bigint,
  batch_id bigint,
  undoes bigint,
  undone_by bigint,
  undone_at timestamptz,
  purged_at timestamptz,
  created_at timestamptz,
  actor text,
  session_role text,
  role_setting text,
  reason text,
  request_id text,
  client_address text,
  idempotency_key text
);
