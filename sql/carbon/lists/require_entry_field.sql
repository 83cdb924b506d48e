-- require_entry_field(data_entry_type_id, field): refuses a field that entries of this type do not have.
-- Raises RC016.
create or replace function pgreprise.require_entry_field(data_entry_type_id bigint, field text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  known text;
begin
  perform from pgreprise.carbon_entry_field as listed
    where listed.data_entry_type_id = require_entry_field.data_entry_type_id
      and listed.name = require_entry_field.field;
  if not found then
    select string_agg(listed.name, ', ' order by listed.name) into known
      from pgreprise.carbon_entry_field as listed
     where listed.data_entry_type_id = require_entry_field.data_entry_type_id;
    perform pgreprise.raise_invalid_entry(format('Entries of this type have no field %s. Their fields are: %s.',
      coalesce(require_entry_field.field, 'null'), known), 'RC016');
  end if;
end;
$$;

comment on function pgreprise.require_entry_field(bigint, text) is
'Refuses a field that entries of a type do not have (RC016).';
