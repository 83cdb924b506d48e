-- delete_data_entry(unit_id, year, module, entry_type, item_id, carbon_project_type, as_of): delete an entry with its
-- emissions. Updates stats and last_updated of module and report as create_data_entry does.
-- Raises RR017, RC005, RC001, RC002, RC006, RC015, RC003, RC017, RC018 when rows of other tables would be lost.
create or replace function public.delete_data_entry(
  unit_id bigint,
  year bigint,
  module text,
  entry_type text,
  item_id bigint,
  carbon_project_type bigint default 0,
  as_of timestamptz default now()
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target record;
begin
  perform pgreprise.enter('reports:write');
  select wanted.* into target
    from pgreprise.lock_carbon_module(delete_data_entry.unit_id, delete_data_entry.year, delete_data_entry.module,
      delete_data_entry.carbon_project_type, delete_data_entry.item_id, item_is_deleted => true) as wanted;
  perform pgreprise.require_data_entry(target.module_id,
    pgreprise.carbon_entry_type_id(target.module_type_id, delete_data_entry.entry_type), delete_data_entry.item_id,
    target.own_institutional_id);

  perform pgreprise.delete_data_entries(array[delete_data_entry.item_id]);
  perform pgreprise.record_module_change(target.report_id, target.module_type_id, delete_data_entry.as_of);
end;
$$;

comment on function public.delete_data_entry(bigint, bigint, text, text, bigint, bigint, timestamptz) is
'Deletes an entry of a module with its emissions.';

grant execute on function public.delete_data_entry(bigint, bigint, text, text, bigint, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
