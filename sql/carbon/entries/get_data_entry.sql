-- get_data_entry(unit_id, year, module, entry_type, item_id, carbon_project_type): an entry, which is found only in its
-- own unit, year, module and type. entry_type is its name or number.
-- Raises RR017, RC005, RC001, RC002, RC006, RC015, RC003 for a report, module or entry that does not exist.
create or replace function public.get_data_entry(
  unit_id bigint,
  year bigint,
  module text,
  entry_type text,
  item_id bigint,
  carbon_project_type bigint default 0
)
returns setof pgreprise.data_entry_row
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
    from pgreprise.find_carbon_module(get_data_entry.unit_id, get_data_entry.year, get_data_entry.module,
      get_data_entry.carbon_project_type) as wanted;
  perform pgreprise.require_data_entry(target.module_id,
    pgreprise.carbon_entry_type_id(target.module_type_id, get_data_entry.entry_type), get_data_entry.item_id,
    target.own_institutional_id);

  return query
    select entry.* from pgreprise.stored_data_entries(target.module_id, item_id => get_data_entry.item_id) as entry;
end;
$$;

comment on function public.get_data_entry(bigint, bigint, text, text, bigint, bigint) is
'An entry of a module, by its type and id.';

grant execute on function public.get_data_entry(bigint, bigint, text, text, bigint, bigint)
to pgreprise_api, pgreprise_dba;
