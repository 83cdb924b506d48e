-- write_report(report_id, country_id, status, output, error_message, run_sequence, claim_id): locks a report and writes
-- the values that are not null, if they may follow what is stored (is_to_be_written). update_report(), finish_report()
-- and fail_report() call it. A claim ends with the run that it finishes. A write that names no claim ends the open
-- claim of the report, because somebody else computes it.
-- Raises RR001 when there is no such report, RR011, RR020, RR027, RR028, RR030 and RR031 when the write may not follow,
-- RR022 when a trigger of the host keeps the row as it is, 55P03 when the row was locked for too long.
create or replace function pgreprise.write_report(
  report_id bigint,
  country_id text,
  status text,
  output json,
  error_message text,
  run_sequence bigint,
  claim_id uuid
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  target  record;
  is_over constant boolean := coalesce(write_report.status in ('complete', 'error'), false);
begin
  -- Locked before it is judged, so that nobody finishes or reruns it in between.
  -- Without a wait there is no block that catches an error: such a block costs something and would lock the row twice.
  for attempt in 1..2 loop
    select report.id::bigint as id, report.run_sequence, report.status::text as status, report.output::json as output,
        report.error_message::text as error_message
      into target
      from public.report_outputs as report
     where report.id = write_report.report_id
       and (write_report.country_id is null or report.country_id = write_report.country_id)
       for no key update skip locked;
    exit when found or attempt = 2;
    perform pgreprise.lock_rows('report_outputs', array[write_report.report_id]);
  end loop;
  if target.id is null then
    perform pgreprise.raise_not_found('report', write_report.report_id, write_report.country_id);
  end if;

  if not pgreprise.is_to_be_written('report', target.id, target.run_sequence, target.status, target.output,
    target.error_message, write_report.run_sequence, write_report.status, write_report.output,
    write_report.error_message, write_report.claim_id)
  then
    return;
  end if;

  if write_report.claim_id is null then
    perform pgreprise.end_claims(array[target.id], 'superseded', 'the report was written without this claim');
  elsif write_report.status = 'complete' then
    perform pgreprise.require_finished_simulations(write_report.claim_id);
  end if;
  perform pgreprise.write_report_state(target.id, write_report.status, write_report.output,
    write_report.error_message);
  if write_report.claim_id is not null and is_over then
    perform pgreprise.end_claim(write_report.claim_id, write_report.status, write_report.error_message);
  end if;
end;
$$;

comment on function pgreprise.write_report(bigint, text, text, json, text, bigint, uuid) is
'Writes the values that are not null to a report, if they may follow what is stored.';
