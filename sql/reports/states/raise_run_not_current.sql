-- raise_run_not_current(row_kind, row_id, current_run, written_run): refuses the result of a run that has ended: the
-- report or simulation was rerun, or its rerun was undone, while a worker computed.
-- Raises RR011, always.
create or replace function pgreprise.raise_run_not_current(
  row_kind text, row_id bigint, current_run bigint, written_run bigint
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR011',
    message = format('%s #%s is at run %s, but this write is for run %s.',
      initcap(raise_run_not_current.row_kind), raise_run_not_current.row_id, raise_run_not_current.current_run,
      raise_run_not_current.written_run),
    detail = jsonb_build_object(raise_run_not_current.row_kind || '_id', raise_run_not_current.row_id,
      'run_sequence', raise_run_not_current.written_run, 'current_run_sequence', raise_run_not_current.current_run),
    hint = 'Nothing was changed. Discard this result. The worker that computes the current run writes its own.';
end;
$$;

comment on function pgreprise.raise_run_not_current(text, bigint, bigint, bigint) is 'Raises RR011.';
