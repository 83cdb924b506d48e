-- get_report(report_id, country_id, known_tags): the stored report, of that country where one is given. A worker keeps
-- its run_sequence and gives it back with the result. Changes nothing, also when the version of the row is not current.
-- known_tags are the tags of rows that the caller has: where the row still has one of them, its output is left out.
-- Raises RR001 when there is no such report, RR008 when there is no such country, RR017 when the caller's token may
-- not read.
create or replace function public.get_report(
  report_id bigint, country_id text default null, known_tags text[] default null
)
returns setof pgreprise.report_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read', get_report.country_id);

  return query
    select found_row.*
      from pgreprise.stored_report(get_report.report_id, get_report.country_id, get_report.known_tags) as found_row;

  if not found then
    perform pgreprise.raise_not_found('report', get_report.report_id, get_report.country_id);
  end if;
end;
$$;

comment on function public.get_report(bigint, text, text[]) is 'The stored report; select * from get_report(42).';

grant execute on function public.get_report(bigint, text, text[])
to pgreprise_reader, pgreprise_worker, pgreprise_api, pgreprise_dba;
