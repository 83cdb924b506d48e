-- reset_report(report_id): put one stored report back to pending.
-- Clears output and error_message, which update_report cannot (it skips nulls by contract).
-- Raises RR001 when there is no such report.
create or replace function public.reset_report(report_id bigint)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.bound_lock_wait();

  update public.report_outputs as report
     set status = 'pending', output = null, error_message = null
   where report.id = reset_report.report_id;

  if not found then
    perform pgreprise.raise_report_not_found(reset_report.report_id);
  end if;
end;
$$;

comment on function public.reset_report(bigint) is
'Puts one report back to pending and clears its output and error; its simulations and caches stay. '
'To compute a report again use rerun_report, which resets all of them together.';

grant execute on function public.reset_report(bigint) to pgreprise_dba;
