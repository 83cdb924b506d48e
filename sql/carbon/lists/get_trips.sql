-- get_trips(unit_id, year, carbon_project_type): what the map of a report's travel shows: {"legs": [],
-- "dropped_count"}. A leg needs the places of its ends. They are in tables of the calculator that pgreprise does not
-- read, so no trip can be drawn, and each is counted as dropped, as the calculator counts trips whose places it does
-- not know.
-- Raises RR017, RC005, RC001, RC002, RC003.
create or replace function public.get_trips(unit_id bigint, year bigint, carbon_project_type bigint default 0)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target record;
begin
  perform pgreprise.enter('reports:read');
  select wanted.* into target
    from pgreprise.find_carbon_module(get_trips.unit_id, get_trips.year, 'professional_travel',
      get_trips.carbon_project_type) as wanted;

  return (
    select jsonb_build_object('legs', jsonb_build_array(), 'dropped_count', count(*))
      from pgreprise.stored_data_entries(target.module_id, own_institutional_id => target.own_institutional_id)
  );
end;
$$;

comment on function public.get_trips(bigint, bigint, bigint) is 'What the map of a report''s travel shows.';

grant execute on function public.get_trips(bigint, bigint, bigint) to pgreprise_api, pgreprise_dba;
