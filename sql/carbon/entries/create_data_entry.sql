-- create_data_entry(unit_id, year, module, entry_type, data, emissions, carbon_project_type, as_of): create an entry
-- in a module. entry_type is the name or number of a type, data its fields as a JSON object (carbon_entry_field).
-- emissions are an array of {"emission_type_id", "kg_co2eq"} with further columns of data_entry_emissions, for a
-- caller that has computed them; without them the entry has none, until the application computes them. Like every
-- write to a module, it updates stats and last_updated of module and report, and the module is in progress
-- (record_module_change).
-- Returns the entry.
-- Raises RR017, RC005, RC001, RC002, RC006, RC015, RC003, RC013 for fields and RC008 for emissions that an entry
-- cannot have, RC014 for a person who is a member already, RC017, RC019.
create or replace function public.create_data_entry(
  unit_id bigint,
  year bigint,
  module text,
  entry_type text,
  data jsonb,
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
  target    record;
  type_id   bigint;
  fields    jsonb;
  entry_id  bigint;
  taken_key text;
begin
  perform pgreprise.enter('reports:write');
  select wanted.* into target
    from pgreprise.lock_carbon_module(create_data_entry.unit_id, create_data_entry.year, create_data_entry.module,
      create_data_entry.carbon_project_type) as wanted;
  type_id := pgreprise.carbon_entry_type_id(target.module_type_id, create_data_entry.entry_type);
  fields := pgreprise.checked_entry_fields(type_id, create_data_entry.data, is_new => true);
  perform pgreprise.check_emissions(create_data_entry.emissions, target.module_type_id);
  perform pgreprise.require_own_entry(fields, target.own_institutional_id, create_data_entry.module);
  perform pgreprise.require_fitting_entry(target.module_id, type_id, fields);

  begin
    insert into public.data_entries as entry (
      carbon_report_module_id, data_entry_type_id, data, status, created_at, updated_at
    )
    values (target.module_id, type_id, fields, 'PENDING', create_data_entry.as_of at time zone 'UTC',
      create_data_entry.as_of at time zone 'UTC')
    returning entry.id into entry_id;
  exception
    when unique_violation then
      get stacked diagnostics taken_key = constraint_name;
      perform pgreprise.refuse_taken_id(taken_key);
      raise;
  end;
  perform pgreprise.require_all_written('data_entries', 1, num_nonnulls(entry_id));
  perform pgreprise.replace_emissions(entry_id, type_id, coalesce(create_data_entry.emissions, '[]'),
    create_data_entry.as_of);
  perform pgreprise.record_module_change(target.report_id, target.module_type_id, create_data_entry.as_of);

  return query
    select entry.* from pgreprise.stored_data_entries(target.module_id, item_id => entry_id) as entry;
end;
$$;

comment on function public.create_data_entry(bigint, bigint, text, text, jsonb, jsonb, bigint, timestamptz) is
'Creates an entry in a module, with its emissions where the caller has computed them.';

grant execute on function public.create_data_entry(bigint, bigint, text, text, jsonb, jsonb, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
