-- reset_report(report_id): put one stored report back to pending, as its next run.
-- The run that ends is archived. Clears output and error_message, which update_report cannot (it skips nulls
-- by contract).
-- Raises RR001 when there is no such report.
create or replace function public.reset_report(report_id bigint)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target       record;
  keep_outputs boolean;
  started_runs integer[];
begin
  perform pgreprise.enter('reports:rerun');

  select report.country_id into target
    from public.report_outputs as report
   where report.id = reset_report.report_id
     for update;
  if not found then
    perform pgreprise.raise_report_not_found(reset_report.report_id);
  end if;

  keep_outputs := pgreprise.setting('archive_outputs') = 'on';
  started_runs := pgreprise.reset_reports(array[reset_report.report_id], keep_outputs);

  insert into pgreprise.rerun as act (kind, report_id, country_id, run_sequence, is_archived)
  values ('reset_report', reset_report.report_id, target.country_id, started_runs[1], keep_outputs);
end;
$$;

comment on function public.reset_report(bigint) is
'Puts one report back to pending and clears its output and error; its simulations and caches stay. '
'To compute a report again use rerun_report, which resets all of them together.';

grant execute on function public.reset_report(bigint) to pgreprise_dba;
