-- update_data_entry(unit_id, year, module, data_entry_type_id, item_id, data, emissions, carbon_project_type,
-- as_of): replace the data or the emissions of an entry, or both. A value that is null does not change. Updates stats
-- and last_updated of module and report as create_data_entry does. Returns the entry.
-- Raises RR017, RC005, RC001, RC002, RC006, RC003, RC008 for values that an entry cannot have, or when both are null.
create or replace function public.update_data_entry(
  unit_id bigint,
  year bigint,
  module text,
  data_entry_type_id bigint,
  item_id bigint,
  data jsonb default null,
  emissions jsonb default null,
  carbon_project_type bigint default 0,
  as_of timestamptz default now()
)
returns setof pgreprise.data_entry_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target record;
begin
  perform pgreprise.enter('reports:write');
  select wanted.* into target
    from pgreprise.lock_carbon_module(update_data_entry.unit_id, update_data_entry.year, update_data_entry.module,
      update_data_entry.carbon_project_type) as wanted;
  perform pgreprise.require_data_entry(target.module_id, update_data_entry.data_entry_type_id,
    update_data_entry.item_id, target.own_institutional_id);
  if update_data_entry.data is null and update_data_entry.emissions is null then
    perform pgreprise.raise_invalid_carbon_value('Neither data nor emissions are given.', jsonb_build_object(),
      'Send data, emissions, or both.');
  end if;
  perform pgreprise.check_data_entry(update_data_entry.data_entry_type_id, update_data_entry.data,
    update_data_entry.emissions);

  if update_data_entry.data is not null then
    perform pgreprise.require_own_entry(update_data_entry.data, target.own_institutional_id, update_data_entry.module);
    update public.data_entries as entry
       set data = update_data_entry.data, updated_at = update_data_entry.as_of at time zone 'UTC'
     where entry.id = update_data_entry.item_id;
  end if;
  if update_data_entry.emissions is not null then
    perform pgreprise.replace_emissions(update_data_entry.item_id, update_data_entry.data_entry_type_id,
      update_data_entry.emissions, update_data_entry.as_of);
  end if;
  perform pgreprise.record_module_change(target.report_id, target.module_type_id, update_data_entry.as_of);

  return query
    select entry.*
      from pgreprise.stored_data_entries(target.module_id, item_id => update_data_entry.item_id) as entry;
end;
$$;

comment on function public.update_data_entry(bigint, bigint, text, bigint, bigint, jsonb, jsonb, bigint, timestamptz) is
'Replaces the data or the emissions of an entry, or both.';

grant execute on function public.update_data_entry
to pgreprise_api, pgreprise_dba;
