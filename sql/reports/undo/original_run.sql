-- original_run(row_kind, row_id, run_sequence): the run that a run of a report or simulation holds again, where an
-- undo started it; otherwise the run itself.
create or replace function pgreprise.original_run(row_kind text, row_id bigint, run_sequence integer)
returns integer
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The table begins empty. A plan made then scans it, and a long undo would keep that plan while the table grows.
set enable_seqscan = 'off'
as $$
begin
  return coalesce(
    (select restored.restores_run
       from pgreprise.restored_run as restored
      where restored.row_kind = original_run.row_kind
        and restored.row_id = original_run.row_id
        and restored.run_sequence = original_run.run_sequence),
    original_run.run_sequence
  );
end;
$$;

comment on function pgreprise.original_run(text, bigint, integer) is
'The earlier run that a run holds again, or the run itself.';
