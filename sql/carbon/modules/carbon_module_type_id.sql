-- carbon_module_type_id(module): the module type that has this name, or had it. Hyphens and underscores are the same.
-- Raises RC006 for an unknown name.
create or replace function pgreprise.carbon_module_type_id(module text)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  type_id bigint;
  known   text;
begin
  select module_type.module_type_id into type_id
    from pgreprise.carbon_module_type as module_type
   where replace(carbon_module_type_id.module, '-', '_') in (module_type.name, module_type.former_name);

  if not found then
    select string_agg(module_type.name, ', ' order by module_type.module_type_id) into known
      from pgreprise.carbon_module_type as module_type;

    raise exception using
      errcode = 'RC006',
      message = format('There is no module %s.', coalesce(carbon_module_type_id.module, 'null')),
      detail = jsonb_build_object('module', carbon_module_type_id.module),
      hint = format('The modules are: %s.', known);
  end if;
  return type_id;
end;
$$;

comment on function pgreprise.carbon_module_type_id(text) is
'The module type that has this name (RC006 for an unknown name).';
