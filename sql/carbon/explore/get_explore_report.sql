-- get_explore_report(unit_id, reference_year, as_of): the unit's Simulator_Explore report of a reference year, and
-- whether it is stale. It never changes anything: a stale report is returned as it is, and refresh_explore_report
-- replaces it.
-- Returns (stored, is_stale). select (found.stored).*, found.is_stale from get_explore_report(1, 2025) as found;
-- Raises RR017, RC001, RC002, RC003 when there is no such report.
create or replace function public.get_explore_report(
  unit_id bigint, reference_year bigint, as_of timestamptz default now()
)
returns table (stored pgreprise.carbon_report_row, is_stale boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  perform public.require_unit_access(get_explore_report.unit_id);

  return query
    select found.stored, found.is_stale
      from pgreprise.stored_explore_report(get_explore_report.unit_id, get_explore_report.reference_year,
        get_explore_report.as_of) as found;
  if not found then
    perform pgreprise.raise_carbon_not_found(jsonb_build_object('unit_id', get_explore_report.unit_id,
      'year', get_explore_report.reference_year, 'carbon_project_type', 1));
  end if;
end;
$$;

comment on function public.get_explore_report(bigint, bigint, timestamptz) is
'A unit''s explore report of a reference year, and whether it is stale. Changes nothing.';

grant execute on function public.get_explore_report(bigint, bigint, timestamptz) to pgreprise_api, pgreprise_dba;
