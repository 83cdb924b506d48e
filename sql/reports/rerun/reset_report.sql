-- reset_report(report_id, reason): puts one report back to pending, as its next run, and leaves its simulations and
-- cache rows as they are. The run that ends is archived. This clears output and error_message; update_report cannot,
-- because it ignores nulls.
-- Raises RR001 when there is no such report, RR016 for a reason that is too long, RR017 when the caller's token may
-- not.
create or replace function public.reset_report(report_id bigint, reason text default null)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target       record;
  settings     record;
  started_runs integer[];
  taken_key    text;
begin
  perform pgreprise.enter('reports:rerun');

  select report.country_id into target
    from public.report_outputs as report
   where report.id = reset_report.report_id
     for no key update;
  if not found then
    perform pgreprise.raise_not_found('report', reset_report.report_id);
  end if;

  perform pgreprise.end_claims(array[reset_report.report_id], 'superseded',
    format('report #%s was reset', reset_report.report_id));
  select setting.archive_outputs, setting.has_run_tables into settings from pgreprise.setting as setting;
  started_runs := pgreprise.start_report_runs(array[reset_report.report_id], settings.archive_outputs);
  if settings.has_run_tables then
    perform pgreprise.add_host_runs('rerun', array[reset_report.report_id]);
  end if;

  insert into pgreprise.rerun as act (rerun_id, kind, report_id, country_id, run_sequence, is_archived, reason)
  values (pgreprise.new_act_id(pgreprise.id_shard('report', reset_report.report_id)), 'reset_report',
    reset_report.report_id, target.country_id, started_runs[1],
    settings.archive_outputs, pgreprise.checked_reason(reset_report.reason));
  perform pgreprise.notify_workers();
exception
  when lock_not_available then
    perform pgreprise.raise_report_wait(array[reset_report.report_id]);
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind('RR023', taken_key);
    raise;
end;
$$;

comment on function public.reset_report(bigint, text) is
'Puts one report back to pending and clears its output and error; its simulations and caches stay. '
'To compute a report again use rerun_report, which resets them together.';

grant execute on function public.reset_report(bigint, text) to pgreprise_dba;
