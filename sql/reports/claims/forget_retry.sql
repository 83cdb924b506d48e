-- forget_retry(report_id, run_sequence): deletes the row of a retry whose run is not pending any more, because the
-- report was deleted, rerun, or written by somebody else. It waits for nobody.
create or replace function pgreprise.forget_retry(report_id bigint, run_sequence integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from public.report_outputs as report
    where report.id = forget_retry.report_id
      and report.run_sequence = forget_retry.run_sequence
      and report.status = 'pending';
  if found then
    return;
  end if;

  perform from pgreprise.retry as retry
    where retry.report_id = forget_retry.report_id and retry.run_sequence = forget_retry.run_sequence
      for update skip locked;
  if found then
    delete from pgreprise.retry as retry
     where retry.report_id = forget_retry.report_id and retry.run_sequence = forget_retry.run_sequence;
  end if;
end;
$$;

comment on function pgreprise.forget_retry(bigint, integer) is
'Deletes the row of a retry whose run is not pending any more.';
