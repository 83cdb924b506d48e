-- get_data_entries(unit_id, year, module, data_entry_type_id, carbon_project_type, item_id): the entries of one type in
-- a module, ordered by id. With item_id, only the entry that has this id.
-- Raises RR017, RC005, RC001, RC002, RC006, RC003 for a report, module or entry that does not exist.
create or replace function public.get_data_entries(
  unit_id bigint,
  year bigint,
  module text,
  data_entry_type_id bigint,
  carbon_project_type bigint default 0,
  item_id bigint default null
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
    from pgreprise.find_carbon_module(get_data_entries.unit_id, get_data_entries.year, get_data_entries.module,
      get_data_entries.carbon_project_type) as wanted;
  if get_data_entries.item_id is not null then
    perform pgreprise.require_data_entry(target.module_id, get_data_entries.data_entry_type_id,
      get_data_entries.item_id, target.own_institutional_id);
  end if;

  return query
    select entry.*
      from pgreprise.stored_data_entries(target.module_id, get_data_entries.data_entry_type_id,
        get_data_entries.item_id) as entry
     where pgreprise.is_own_entry(entry.data, target.own_institutional_id);
end;
$$;

comment on function public.get_data_entries(bigint, bigint, text, bigint, bigint, bigint) is
'The entries of one type in a module, or the entry of an id.';

grant execute on function public.get_data_entries(bigint, bigint, text, bigint, bigint, bigint)
to pgreprise_api, pgreprise_dba;
