-- get_headcount_members(unit_id, year, carbon_project_type): the members in the headcount of a report who have an
-- institutional id, by name, to choose travellers from. A caller who may see own travel only gets the own record.
-- Returns institutional_id, name.
-- Raises RR017, RC005, RC001, RC002 for a caller who may see neither headcount nor travel, RC003.
create or replace function public.get_headcount_members(
  unit_id bigint, year bigint, carbon_project_type bigint default 0
)
returns table (institutional_id text, name text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  report_type text;
  report_id   bigint;
  own         text;
begin
  perform pgreprise.enter('reports:read');
  report_type := pgreprise.carbon_report_type(get_headcount_members.carbon_project_type);
  if pgreprise.carbon_access(get_headcount_members.unit_id, 'headcount', 'view') is distinct from 'all' then
    own := pgreprise.require_module_access(get_headcount_members.unit_id,
      pgreprise.carbon_module_type_id('professional_travel'), 'view');
  end if;

  report_id := pgreprise.carbon_report_id(get_headcount_members.unit_id, get_headcount_members.year, report_type);
  if report_id is null then
    perform pgreprise.raise_carbon_not_found(jsonb_build_object('unit_id', get_headcount_members.unit_id,
      'year', get_headcount_members.year, 'carbon_project_type', get_headcount_members.carbon_project_type));
  end if;

  return query
    select entry.data ->> 'user_institutional_id', entry.data ->> 'name'
      from pgreprise.stored_carbon_modules(report_id, pgreprise.carbon_module_type_id('headcount')) as module
     cross join lateral pgreprise.stored_data_entries(module.id, own_institutional_id => own) as entry
     where entry.data ->> 'user_institutional_id' <> ''
     order by lower(entry.data ->> 'name'), entry.id;
end;
$$;

comment on function public.get_headcount_members(bigint, bigint, bigint) is
'The members in the headcount of a report who have an institutional id, by name.';

grant execute on function public.get_headcount_members(bigint, bigint, bigint) to pgreprise_api, pgreprise_dba;
