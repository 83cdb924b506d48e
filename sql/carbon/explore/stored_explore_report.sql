-- stored_explore_report(unit_id, reference_year, as_of): the unit's explore report of a reference year as the routines
-- return it, and whether it is stale; no row where there is none. Does not check access.
create or replace function pgreprise.stored_explore_report(unit_id bigint, reference_year bigint, as_of timestamptz)
returns table (stored pgreprise.carbon_report_row, is_stale boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select report, pgreprise.explore_report_is_stale(report.last_updated, stored_explore_report.as_of)
      from pgreprise.stored_carbon_reports(array[
        pgreprise.carbon_report_id(stored_explore_report.unit_id, stored_explore_report.reference_year,
          'Simulator_Explore')
      ]) as report;
end;
$$;

comment on function pgreprise.stored_explore_report(bigint, bigint, timestamptz) is
'A unit''s explore report of a reference year, and whether it is stale.';
