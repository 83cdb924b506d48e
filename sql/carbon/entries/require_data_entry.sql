-- require_data_entry(module_id, data_entry_type_id, item_id, own_institutional_id): refuses an id when this module has
-- no such entry of this type that the caller may see (is_own_entry).
-- Raises RC003.
create or replace function pgreprise.require_data_entry(
  module_id bigint, data_entry_type_id bigint, item_id bigint, own_institutional_id text default null
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from public.data_entries as entry
    where entry.id = require_data_entry.item_id
      and entry.carbon_report_module_id = require_data_entry.module_id
      and entry.data_entry_type_id = require_data_entry.data_entry_type_id
      and pgreprise.is_own_entry(pgreprise.as_jsonb(entry.data::json), require_data_entry.own_institutional_id);

  if not found then
    perform pgreprise.raise_carbon_not_found(jsonb_build_object(
      'data_entry_type_id', require_data_entry.data_entry_type_id, 'item_id', require_data_entry.item_id), 'Entry');
  end if;
end;
$$;

comment on function pgreprise.require_data_entry(bigint, bigint, bigint, text) is
'Refuses an id when the module has no such entry of this type (RC003).';
