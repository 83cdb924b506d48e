-- undo_result(undo): the result of undo_rerun() as a JSON object, made from the row that pgreprise.rerun has of the
-- undo:
-- when it is done, and again when its idempotency key is used again.
create or replace function pgreprise.undo_result(undo pgreprise.rerun)
returns jsonb
language sql
stable
begin atomic
  select jsonb_build_object(
    'rerun_id', (undo_result.undo).undoes,
    'undo_id', (undo_result.undo).rerun_id,
    'report_id', (undo_result.undo).report_id,
    'report_type', (undo_result.undo).report_type,
    'simulation_ids', (undo_result.undo).simulation_ids,
    'economy_cache_rows_restored', (
      select act.economy_cache_rows_deleted
        from pgreprise.rerun as act
       where act.rerun_id = (undo_result.undo).undoes
    ),
    'cache_scopes', (undo_result.undo).cache_scopes,
    'run_sequence', (undo_result.undo).run_sequence
  ) as result;
end;

comment on function pgreprise.undo_result(pgreprise.rerun) is 'The result of an undo, as undo_rerun() gives it.';
