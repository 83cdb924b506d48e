-- rerun_result(act): the result of rerun_report() as a JSON object, made from a row of pgreprise.rerun: when the rerun
-- is done, and again when its idempotency key is used again.
-- shown_report_id is the report that the application shows for this key: the one with the highest id.
create or replace function pgreprise.rerun_result(act pgreprise.rerun)
returns jsonb
language sql
stable
begin atomic
  select jsonb_build_object(
    'report_id', (rerun_result.act).report_id,
    'report_type', (rerun_result.act).report_type,
    'simulation_ids', (rerun_result.act).simulation_ids,
    'economy_cache_rows_deleted', (rerun_result.act).economy_cache_rows_deleted,
    'cache_scopes', (rerun_result.act).cache_scopes,
    'run_sequence', (rerun_result.act).run_sequence,
    'rerun_id', (rerun_result.act).rerun_id,
    'same_key_report_ids', (rerun_result.act).same_key_report_ids,
    'shown_report_id', greatest((rerun_result.act).report_id,
      (rerun_result.act).same_key_report_ids[cardinality((rerun_result.act).same_key_report_ids)])
  ) as result;
end;

comment on function pgreprise.rerun_result(pgreprise.rerun) is 'The result of a rerun, as rerun_report() gives it.';
