-- update_data_entry(unit_id, year, module, entry_type, item_id, data, emissions, carbon_project_type, as_of): change
-- the fields of an entry that are given in data, or replace its emissions, or both. When a field changes from which
-- emissions are computed, and no emissions are given, those of the entry are deleted with the factor that it had, so
-- that nobody sees the figures of other fields; the application computes them again. Updates stats and last_updated as
-- create_data_entry does. Returns the entry.
-- Raises what create_data_entry raises, RC003 also for an entry that does not exist, RC013 also when nothing is given,
-- RC018 when rows of other tables would be lost with emissions.
create or replace function public.update_data_entry(
  unit_id bigint,
  year bigint,
  module text,
  entry_type text,
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
  target        record;
  type_id       bigint;
  stored        jsonb;
  fields        jsonb := '{}'::jsonb;
  new_emissions jsonb := update_data_entry.emissions;
begin
  perform pgreprise.enter('reports:write');
  select wanted.* into target
    from pgreprise.lock_carbon_module(update_data_entry.unit_id, update_data_entry.year, update_data_entry.module,
      update_data_entry.carbon_project_type, update_data_entry.item_id) as wanted;
  type_id := pgreprise.carbon_entry_type_id(target.module_type_id, update_data_entry.entry_type);
  perform pgreprise.require_data_entry(target.module_id, type_id, update_data_entry.item_id,
    target.own_institutional_id);

  if update_data_entry.data is null and update_data_entry.emissions is null then
    perform pgreprise.raise_invalid_entry('Neither fields nor emissions are given.');
  end if;
  if update_data_entry.data is not null then
    fields := pgreprise.checked_entry_fields(type_id, update_data_entry.data, is_new => false);
  end if;
  perform pgreprise.check_emissions(update_data_entry.emissions, target.module_type_id);

  select case jsonb_typeof(held.data) when 'object' then held.data else '{}' end into stored
    from public.data_entries as entry
   cross join lateral (select pgreprise.as_jsonb(entry.data::json) as data) as held
   where entry.id = update_data_entry.item_id;
  if update_data_entry.emissions is null and exists (
    select from jsonb_each(fields) as given(name, value)
      join pgreprise.carbon_entry_field as field on field.data_entry_type_id = type_id and field.name = given.name
     where field.changes_emissions and coalesce(stored -> given.name, 'null') <> given.value
  ) then
    new_emissions := '[]'::jsonb;
    fields := jsonb_build_object('primary_factor_id', null) || fields;
  end if;
  perform pgreprise.require_own_entry(stored || fields, target.own_institutional_id, update_data_entry.module);
  perform pgreprise.require_fitting_entry(target.module_id, type_id, stored || fields, update_data_entry.item_id);

  update public.data_entries as entry
     set data = stored || fields, updated_at = update_data_entry.as_of at time zone 'UTC'
   where entry.id = update_data_entry.item_id;
  perform pgreprise.require_all_written('data_entries', 1, found::int);
  if new_emissions is not null then
    perform pgreprise.replace_emissions(update_data_entry.item_id, type_id, new_emissions, update_data_entry.as_of);
  end if;
  perform pgreprise.record_module_change(target.report_id, target.module_type_id, update_data_entry.as_of);

  return query
    select entry.*
      from pgreprise.stored_data_entries(target.module_id, item_id => update_data_entry.item_id) as entry;
end;
$$;

comment on function public.update_data_entry(bigint, bigint, text, text, bigint, jsonb, jsonb, bigint, timestamptz) is
'Changes the given fields of an entry, or replaces its emissions, or both.';

grant execute on function public.update_data_entry
to pgreprise_api, pgreprise_dba;
