-- try_claim(report_id, country_id, report_type, worker, lease, as_of): claims one report (claim_pending_report), if it
-- can be. What a trigger or constraint of the host refuses stands in nobody's way: the report is left out, and tried
-- again after a minute; pgreprise.retry has the reason, and the doctor tells it.
-- Returns the claim, or null. Other errors are raised as they are.
create or replace function pgreprise.try_claim(
  report_id bigint, country_id text, report_type text, worker text, lease interval, as_of timestamptz
)
returns pgreprise.claim_row
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  constraint_of text;
  table_of      text;
  schema_of     text;
  message_of    text;
  context_of    text;
  state_of      text;
begin
  return pgreprise.claim_pending_report(try_claim.report_id, try_claim.country_id, try_claim.report_type,
    try_claim.worker, try_claim.lease, try_claim.as_of);
exception
  when others then
    get stacked diagnostics
      state_of = returned_sqlstate, constraint_of = constraint_name, table_of = table_name, schema_of = schema_name,
      message_of = message_text, context_of = pg_exception_context;
    -- The logical shard of the report is just being moved to another server.
    if state_of = 'RR034' then
      return null;
    end if;
    if state_of not in ('RR022', '22001')
      and not pgreprise.is_refusal_of_host(state_of, context_of, schema_of, constraint_of, table_of)
    then
      raise;
    end if;
    insert into pgreprise.retry as retry (report_id, run_sequence, retry_at, because)
    select report.id, report.run_sequence, try_claim.as_of + interval '1 minute',
        left(pgreprise.host_message(message_of, constraint_of), 1000)
      from public.report_outputs as report
     where report.id = try_claim.report_id
    on conflict on constraint retry_pkey do update
      set run_sequence = excluded.run_sequence, retry_at = excluded.retry_at, because = excluded.because;
    return null;
end;
$$;

comment on function pgreprise.try_claim(bigint, text, text, text, interval, timestamptz) is
'Claims one report, and leaves it out where the host refuses that.';
