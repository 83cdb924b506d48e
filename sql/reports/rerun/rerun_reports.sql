-- rerun_reports(report_ids, reason, result): reruns many reports in one transaction, by the rules of rerun_report().
-- Simulations and cache rows that they share are reset once. Reports that cannot be rerun are listed and not changed.
-- For very many reports use create_rerun_batch(): a batch commits in between.
-- result: {"rerun", "refused": [{"report_id", "errcode", "message"}, ...], "simulations_reset",
-- "economy_cache_rows_deleted"}.
-- Raises RR016 when report_ids is null or the reason is too long, RR017 when the caller's token may not.
create or replace procedure public.rerun_reports(
  report_ids bigint[], reason text default null, inout result jsonb default null
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  taken_key text;
begin
  perform pgreprise.enter('reports:rerun');
  if rerun_reports.report_ids is null then
    raise exception using
      errcode = 'RR016',
      message = 'report_ids is null. It must be an array of report ids.',
      detail = jsonb_build_object('report_ids', null),
      hint = 'call rerun_reports(array[2, 6, 10])';
  end if;

  result := pgreprise.rerun_each(rerun_reports.report_ids,
    reason => pgreprise.checked_reason(rerun_reports.reason));
exception
  when lock_not_available then
    perform pgreprise.raise_report_wait(rerun_reports.report_ids);
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind('RR023', taken_key);
    raise;
end;
$$;

comment on procedure public.rerun_reports is
'Reruns many reports in one transaction and lists those that cannot be rerun: call rerun_reports(array[2, 6]).';

grant execute on procedure public.rerun_reports(bigint[], text, jsonb) to pgreprise_dba;
