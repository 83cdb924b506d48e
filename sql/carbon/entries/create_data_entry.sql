-- create_data_entry(unit_id, year, module, data_entry_type_id, data, emissions, carbon_project_type, as_of): create
-- an entry in a module. data is a JSON object (with fte for headcount), emissions an array of {"emission_type_id",
-- "kg_co2eq"} with further columns of data_entry_emissions. Like every write to a module, it updates stats and
-- last_updated of module and report, and the module is in progress (record_module_change). Returns the entry.
-- Raises RR017, RC005, RC001, RC002, RC006, RC003, RC008 for values that an entry cannot have.
create or replace function public.create_data_entry(
  unit_id bigint,
  year bigint,
  module text,
  data_entry_type_id bigint,
  data jsonb default '{}',
  emissions jsonb default '[]',
  carbon_project_type bigint default 0,
  as_of timestamptz default now()
)
returns setof pgreprise.data_entry_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target   record;
  entry_id bigint;
begin
  perform pgreprise.enter('reports:write');
  select wanted.* into target
    from pgreprise.lock_carbon_module(create_data_entry.unit_id, create_data_entry.year, create_data_entry.module,
      create_data_entry.carbon_project_type) as wanted;
  perform pgreprise.require_own_entry(create_data_entry.data, target.own_institutional_id, create_data_entry.module);
  perform pgreprise.check_data_entry(create_data_entry.data_entry_type_id, create_data_entry.data,
    create_data_entry.emissions);

  insert into public.data_entries as entry (
    carbon_report_module_id, data_entry_type_id, data, status, created_at, updated_at
  )
  values (target.module_id, create_data_entry.data_entry_type_id, coalesce(create_data_entry.data, '{}'), 'PENDING',
    create_data_entry.as_of at time zone 'UTC', create_data_entry.as_of at time zone 'UTC')
  returning entry.id into entry_id;
  perform pgreprise.replace_emissions(entry_id, create_data_entry.data_entry_type_id,
    coalesce(create_data_entry.emissions, '[]'), create_data_entry.as_of);
  perform pgreprise.record_module_change(target.report_id, target.module_type_id, create_data_entry.as_of);

  return query
    select entry.* from pgreprise.stored_data_entries(target.module_id, item_id => entry_id) as entry;
end;
$$;

comment on function public.create_data_entry(bigint, bigint, text, bigint, jsonb, jsonb, bigint, timestamptz) is
'Creates an entry with its emissions in a module.';

grant execute on function public.create_data_entry(bigint, bigint, text, bigint, jsonb, jsonb, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
