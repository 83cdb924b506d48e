-- raise_report_not_found(report_id, country_id): what every routine says of a report that is not there.
-- Raises RR001, always.
create or replace function pgreprise.raise_report_not_found(report_id bigint, country_id text default null)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR001',
    message = format('Report #%s not found.', coalesce(raise_report_not_found.report_id::text, 'null')),
    detail = jsonb_strip_nulls(jsonb_build_object(
      'report_id', raise_report_not_found.report_id, 'country_id', raise_report_not_found.country_id
    )),
    hint = case when raise_report_not_found.country_id is null
      then 'select id from public.report_outputs lists the reports that exist.'
      else 'Check id and country: a report is found in its own country only.' end;
end;
$$;

comment on function pgreprise.raise_report_not_found(bigint, text) is 'Raises RR001.';
