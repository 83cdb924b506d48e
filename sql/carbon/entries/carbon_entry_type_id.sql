-- carbon_entry_type_id(module_type_id, entry_type): the type of entries of a module that has this name, with hyphens or
-- underscores, or this number.
-- Raises RC015 when the module has no such type.
create or replace function pgreprise.carbon_entry_type_id(module_type_id bigint, entry_type text)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  type_id bigint;
  known   text;
begin
  select listed.data_entry_type_id into type_id
    from pgreprise.carbon_entry_type as listed
   where listed.module_type_id = carbon_entry_type_id.module_type_id
     and carbon_entry_type_id.entry_type is not null
     and replace(carbon_entry_type_id.entry_type, '-', '_') in (listed.name, listed.data_entry_type_id::text);

  if not found then
    select string_agg(listed.name, ', ' order by listed.data_entry_type_id) into known
      from pgreprise.carbon_entry_type as listed
     where listed.module_type_id = carbon_entry_type_id.module_type_id;

    raise exception using
      errcode = 'RC015',
      message = format('The module has no entries of a type %s. Its types are: %s.',
        coalesce(carbon_entry_type_id.entry_type, 'null'), known),
      detail = jsonb_build_object('module_type_id', carbon_entry_type_id.module_type_id,
        'entry_type', carbon_entry_type_id.entry_type),
      hint = 'All types: select * from pgreprise.carbon_entry_type;';
  end if;
  return type_id;
end;
$$;

comment on function pgreprise.carbon_entry_type_id(bigint, text) is
'The type of entries of a module that has this name or number (RC015 when there is none).';
