-- get_carbon_report(report_id): a carbon report of any type.
-- Raises RR017, RC003 when it does not exist, RC002.
create or replace function public.get_carbon_report(report_id bigint)
returns setof pgreprise.carbon_report_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.require_carbon_report(get_carbon_report.report_id);

  return query
    select stored.* from pgreprise.stored_carbon_reports(array[get_carbon_report.report_id]) as stored;
end;
$$;

comment on function public.get_carbon_report(bigint) is 'A carbon report of any type.';

grant execute on function public.get_carbon_report(bigint) to pgreprise_api, pgreprise_dba;
