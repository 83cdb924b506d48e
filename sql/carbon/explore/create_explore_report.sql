-- create_explore_report(unit_id, reference_year, as_of): create the unit's Simulator_Explore report of a reference
-- year, and its project where it is absent: all modules not started, nothing taken from the Calculator report.
-- Always creates, or refuses; get_explore_report looks. Of two callers at once one creates it and the other gets
-- RC004, at every isolation level (at the stricter ones after a 40001 and a retry).
-- Raises RR017, RC001, RC002, RC004 where there is one, RC008 for a year that is none.
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
'Creates a unit''s explore report of a reference year, and refuses where there is one.';

grant execute on function public.create_explore_report(bigint, bigint, timestamptz) to pgreprise_api, pgreprise_dba;
