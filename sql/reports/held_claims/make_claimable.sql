-- make_claimable(report_id, run_sequence, retry_at): puts the current run of a report back to pending, to be claimed
-- again, from retry_at on where that is given. The caller has locked the report.
create or replace function pgreprise.make_claimable(
  report_id bigint, run_sequence integer, retry_at timestamptz default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.write_report_state(make_claimable.report_id, 'pending', null, null, is_whole => true);
  if make_claimable.retry_at is not null then
    insert into pgreprise.retry as retry (report_id, run_sequence, retry_at)
    values (make_claimable.report_id, make_claimable.run_sequence, make_claimable.retry_at)
    on conflict on constraint retry_pkey do update
      set run_sequence = excluded.run_sequence, retry_at = excluded.retry_at;
  else
    perform pgreprise.notify_workers();
  end if;
end;
$$;

comment on function pgreprise.make_claimable(bigint, integer, timestamptz) is
'Puts the current run of a report back to pending, to be claimed again.';
