-- write_cancellation(report_id, reason): puts a report whose run was cancelled at error, with this message: "The run
-- was cancelled." and the reason. The history shows such a run as cancelled.
create or replace function pgreprise.write_cancellation(report_id bigint, reason text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.write_report_state(write_cancellation.report_id, 'error', null,
    'The run was cancelled' || coalesce(': ' || rtrim(write_cancellation.reason, '.'), '') || '.', is_whole => true);
  delete from pgreprise.retry as retry where retry.report_id = write_cancellation.report_id;
end;
$$;

comment on function pgreprise.write_cancellation(bigint, text) is 'Puts a report whose run was cancelled at error.';
