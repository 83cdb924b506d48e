-- rerun_result(values of a rerun): the result of rerun_report() as a JSON object, made from a row of pgreprise.rerun:
-- when the rerun is done, and again when its idempotency key is used again.
create or replace function pgreprise.rerun_result(
  rerun_id bigint,
  report_id bigint,
  report_type text,
  simulation_ids bigint[],
  economy_cache_rows_deleted bigint,
  run_sequence integer
)
returns jsonb
language sql
stable
begin atomic
  select jsonb_build_object(
    'report_id', rerun_result.report_id,
    'report_type', rerun_result.report_type,
    'simulation_ids', rerun_result.simulation_ids,
    'economy_cache_rows_deleted', rerun_result.economy_cache_rows_deleted,
    'run_sequence', rerun_result.run_sequence,
    'rerun_id', rerun_result.rerun_id
  ) as result;
end;

comment on function pgreprise.rerun_result(bigint, bigint, text, bigint[], bigint, integer) is
'The result of a rerun, as rerun_report() gives it.';
