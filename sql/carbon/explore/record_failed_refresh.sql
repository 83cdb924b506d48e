-- record_failed_refresh(unit_id, old_report_id, reference_year, message, as_of): keep that the refresh of a stale
-- explore report failed, so that the doctor can tell of it. Nothing is kept unless that report is still stale.
-- Raises RR017, RC001, RC002.
create or replace function public.record_failed_refresh(
  unit_id bigint, old_report_id bigint, reference_year bigint, message text, as_of timestamptz default now()
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  perform public.require_unit_access(record_failed_refresh.unit_id);

  insert into pgreprise.failed_refresh as failed (report_id, failures, first_failed_at, last_failed_at, message)
  select (found.stored).id, 1, record_failed_refresh.as_of, record_failed_refresh.as_of,
      left(coalesce(record_failed_refresh.message, ''), 500)
    from pgreprise.stored_explore_report(record_failed_refresh.unit_id, record_failed_refresh.reference_year,
      record_failed_refresh.as_of) as found
   where (found.stored).id = record_failed_refresh.old_report_id and found.is_stale
  on conflict on constraint failed_refresh_pkey do update
    set failures = failed.failures + 1, last_failed_at = excluded.last_failed_at, message = excluded.message;
end;
$$;

comment on function public.record_failed_refresh(bigint, bigint, bigint, text, timestamptz) is
'Keeps that the refresh of a stale explore report failed.';

grant execute on function public.record_failed_refresh(bigint, bigint, bigint, text, timestamptz)
to pgreprise_api, pgreprise_dba;
