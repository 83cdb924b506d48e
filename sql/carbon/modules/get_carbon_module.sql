-- get_carbon_module(unit_id, year, module, carbon_project_type): a module of a unit's report of a year, with its
-- entries as a JSON array; a caller who is limited to own entries gets those.
-- Returns (stored, entries). select (found.stored).*, found.entries from get_carbon_module(1, 2025, 'headcount')
-- as found;
-- Raises RR017, RC005, RC001, RC002, RC006, RC003.
create or replace function public.get_carbon_module(
  unit_id bigint, year bigint, module text, carbon_project_type bigint default 0
)
returns table (stored pgreprise.carbon_module_row, entries jsonb)
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
    from pgreprise.find_carbon_module(get_carbon_module.unit_id, get_carbon_module.year, get_carbon_module.module,
      get_carbon_module.carbon_project_type) as wanted;

  return query
    select module_row, (
        select coalesce(jsonb_agg(to_jsonb(entry) order by entry.id), '[]')
          from pgreprise.stored_data_entries(target.module_id,
            own_institutional_id => target.own_institutional_id) as entry
      )
      from pgreprise.stored_carbon_modules(target.report_id, target.module_type_id) as module_row;
end;
$$;

comment on function public.get_carbon_module(bigint, bigint, text, bigint) is
'A module of a unit''s report by its name, with its entries.';

grant execute on function public.get_carbon_module(bigint, bigint, text, bigint) to pgreprise_api, pgreprise_dba;
