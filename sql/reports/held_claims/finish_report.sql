-- finish_report(claim_id, output): stores the output of the report that the claim computes, which is complete then, and
-- ends the claim. Returns the report. The very same output sent again is answered with what is stored.
-- Raises RR001 the report was deleted, RR011 or RR020 somebody has written it without the claim, RR016 no readable
-- output, RR017 the caller's token may not, RR022 a trigger of the host keeps the row as it is, RR027 the claim is
-- over, RR028 no such claim, RR031 a simulation of the claim is to be finished first, 55P03 the row was locked for too
-- long.
create or replace function public.finish_report(claim_id uuid, output json)
returns setof pgreprise.report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The tables of claims are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  target_id bigint;
begin
  perform pgreprise.enter('reports:work');
  perform pgreprise.check_update('complete', finish_report.output, null);
  select claim.report_id into target_id from pgreprise.claim as claim where claim.claim_id = finish_report.claim_id;
  if not found then
    perform pgreprise.raise_no_claim(finish_report.claim_id);
  end if;
  perform pgreprise.write_report(target_id, null, 'complete', finish_report.output, null, null, finish_report.claim_id);

  return query select stored.* from pgreprise.stored_report(own.target_id) as stored;
end;
$$;

comment on function public.finish_report(uuid, json) is
'Stores the output of the report that a claim computes; it is complete then, and the claim ends.';

grant execute on function public.finish_report(uuid, json) to pgreprise_worker, pgreprise_api, pgreprise_dba;
