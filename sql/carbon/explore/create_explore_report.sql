-- create_explore_report(unit_id, reference_year, as_of): create the unit's Simulator_Explore report of a reference
-- year, and the unit's project when there is none. No module is started, and nothing is copied from the Calculator
-- report. When two callers do this at the same time, one creates the report and the other gets RC004, at every
-- isolation level (at repeatable read and serializable after a 40001 and a retry). get_explore_report only reads.
-- Raises RR017, RC001, RC002, RC004 when the report exists, RC008 for a number that is not a year.
create or replace function public.create_explore_report(
  unit_id bigint, reference_year bigint, as_of timestamptz default now()
)
returns setof pgreprise.carbon_report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:write');

  return query
    select created.*
      from public.create_carbon_report(create_explore_report.unit_id, create_explore_report.reference_year,
        carbon_project_type => 1, as_of => create_explore_report.as_of) as created;
end;
$$;

comment on function public.create_explore_report(bigint, bigint, timestamptz) is
'Creates a unit''s explore report of a reference year; refuses when it exists (RC004).';

grant execute on function public.create_explore_report(bigint, bigint, timestamptz) to pgreprise_api, pgreprise_dba;
