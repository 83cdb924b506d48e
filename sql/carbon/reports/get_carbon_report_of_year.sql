-- get_carbon_report_of_year(unit_id, year): a unit's Calculator report of a year.
-- Raises RR017, RC001, RC002, RC003 when it does not exist.
create or replace function public.get_carbon_report_of_year(unit_id bigint, year bigint)
returns setof pgreprise.carbon_report_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  report_id bigint;
begin
  perform pgreprise.enter('reports:read');
  perform public.require_unit_access(get_carbon_report_of_year.unit_id);

  report_id := pgreprise.carbon_report_id(get_carbon_report_of_year.unit_id, get_carbon_report_of_year.year,
    'Calculator');
  if report_id is null then
    perform pgreprise.raise_carbon_not_found(jsonb_build_object(
      'unit_id', get_carbon_report_of_year.unit_id, 'year', get_carbon_report_of_year.year));
  end if;

  return query select stored.* from pgreprise.stored_carbon_reports(array[report_id]) as stored;
end;
$$;

comment on function public.get_carbon_report_of_year(bigint, bigint) is 'A unit''s Calculator report of a year.';

grant execute on function public.get_carbon_report_of_year(bigint, bigint) to pgreprise_api, pgreprise_dba;
