-- open_claims(country_id, after_report_id, max_rows): what workers compute now: the open claims, by report: who, since
-- when, when it was last heard of, how far it is, and until when it may be silent. The next page begins after the last
-- report_id. Changes nothing.
-- Raises RR008 no such country, RR016 when max_rows is not between 1 and 1000, RR017 the caller's token may not read.
create or replace function public.open_claims(
  country_id text default null, after_report_id bigint default null, max_rows integer default 100
)
returns setof pgreprise.attempt_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read', open_claims.country_id);
  perform pgreprise.check_max_rows(open_claims.max_rows);

  return query
    select (pgreprise.shown_attempt(claim)).*
      from pgreprise.claim as claim
     where claim.ended_at is null
       and (open_claims.country_id is null or claim.country_id = open_claims.country_id)
       and (open_claims.after_report_id is null or claim.report_id > open_claims.after_report_id)
     order by claim.report_id
     limit open_claims.max_rows;
end;
$$;

comment on function public.open_claims(text, bigint, integer) is
'What workers compute now: the open claims, by report; select * from open_claims().';

grant execute on function public.open_claims(text, bigint, integer)
to pgreprise_reader, pgreprise_worker, pgreprise_api, pgreprise_dba;
