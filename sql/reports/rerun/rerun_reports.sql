-- rerun_reports(report_ids, result): rerun many reports in one transaction, set by set, by the rules of
-- rerun_report(). Reports that cannot be rerun are left alone and listed; the rest are rerun. Simulations and
-- cache keys that they share are reset once. For very many, a batch commits in between: create_rerun_batch().
-- result: {"rerun", "refused": [{"report_id", "errcode", "message"}, ...], "simulations_reset",
-- "economy_cache_rows_deleted"}.
-- Raises RR016 when report_ids is null.
create or replace procedure public.rerun_reports(report_ids bigint[], inout result jsonb default null)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:rerun');
  if rerun_reports.report_ids is null then
    raise exception using
      errcode = 'RR016',
      message = 'report_ids is null; it is an array of report ids.',
      detail = jsonb_build_object('report_ids', null),
      hint = 'call rerun_reports(array[2, 6, 10])';
  end if;

  result := pgreprise.rerun_set(rerun_reports.report_ids);
end;
$$;

comment on procedure public.rerun_reports is
'Reruns many reports in one transaction; those that cannot be rerun are listed: call rerun_reports(array[2, 6]).';

grant execute on procedure public.rerun_reports(bigint[], jsonb) to pgreprise_dba;
