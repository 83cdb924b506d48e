-- report_attempts(report_id, country_id): all attempts of workers that claimed runs of a report, the newest first: who,
-- when, how far it came, and how it ended. Changes nothing.
-- Raises RR001 no such report, RR008 no such country, RR017 the caller's token may not read.
create or replace function public.report_attempts(report_id bigint, country_id text default null)
returns setof pgreprise.attempt_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read', report_attempts.country_id);
  perform from pgreprise.stored_report(report_attempts.report_id, report_attempts.country_id);
  if not found then
    perform pgreprise.raise_not_found('report', report_attempts.report_id, report_attempts.country_id);
  end if;

  return query
    select (pgreprise.shown_attempt(claim)).*
      from pgreprise.claim as claim
     where claim.report_id = report_attempts.report_id
     order by claim.run_sequence desc, claim.attempt desc;
end;
$$;

comment on function public.report_attempts(bigint, text) is
'The attempts of workers that claimed runs of a report, the newest first; select * from report_attempts(42).';

grant execute on function public.report_attempts(bigint, text)
to pgreprise_reader, pgreprise_worker, pgreprise_api, pgreprise_dba;
