-- raise_run_over(report_id, current_run, wanted_run, status): refuses to cancel or release a run that is not the
-- current one any more: the report was rerun, or its rerun was undone, since the caller looked.
-- Raises RR020, always.
create or replace function pgreprise.raise_run_over(
  report_id bigint, current_run bigint, wanted_run bigint, status text
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR020',
    message = format('Report #%s is at run %s, and not at run %s any more.', raise_run_over.report_id,
      raise_run_over.current_run, raise_run_over.wanted_run),
    detail = jsonb_build_object('report_id', raise_run_over.report_id, 'run_sequence', raise_run_over.wanted_run,
      'current_run_sequence', raise_run_over.current_run, 'status', raise_run_over.status),
    hint = 'Nothing was changed. Look at the report again. If its current run is meant, give the number of that run.';
end;
$$;

comment on function pgreprise.raise_run_over(bigint, bigint, bigint, text) is
'Raises RR020: the run is not the current one any more.';
