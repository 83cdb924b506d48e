-- original_run(row_kind, row_id, run_sequence): the earlier run whose result an undo put back as this run of a report
-- or simulation; the run itself where no undo started it.
create or replace function pgreprise.original_run(row_kind text, row_id bigint, run_sequence integer)
returns integer
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The table is empty at first. A plan from that time would scan it, and a long undo keeps its plans.
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
'The earlier run whose result a run has again, or the run itself.';
