-- is_unique_in_module(unit_id, year, module, entry_type, field, value, exclude_id, carbon_project_type): whether no
-- entry of this type in the module has this value in a field, for a form that asks before it sends. exclude_id is the
-- entry that is being changed. A caller who may see own entries only is told of these.
-- Raises RR017, RC005, RC001, RC002, RC006, RC015, RC003, RC016 for a field that the type does not have.
create or replace function public.is_unique_in_module(
  unit_id bigint,
  year bigint,
  module text,
  entry_type text,
  field text,
  value text,
  exclude_id bigint default null,
  carbon_project_type bigint default 0
)
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target  record;
  type_id bigint;
begin
  perform pgreprise.enter('reports:read');
  select wanted.* into target
    from pgreprise.find_carbon_module(is_unique_in_module.unit_id, is_unique_in_module.year,
      is_unique_in_module.module, is_unique_in_module.carbon_project_type) as wanted;
  type_id := pgreprise.carbon_entry_type_id(target.module_type_id, is_unique_in_module.entry_type);
  perform pgreprise.require_entry_field(type_id, is_unique_in_module.field);

  return not exists (
    select from public.data_entries as entry
     where entry.carbon_report_module_id = target.module_id
       and entry.data_entry_type_id = type_id
       and pgreprise.as_jsonb(entry.data::json) ->> is_unique_in_module.field
         = pgreprise.trimmed(is_unique_in_module.value)
       and entry.id is distinct from is_unique_in_module.exclude_id
       and pgreprise.is_own_entry(pgreprise.as_jsonb(entry.data::json), target.own_institutional_id)
  );
end;
$$;

comment on function public.is_unique_in_module(bigint, bigint, text, text, text, text, bigint, bigint) is
'Whether no entry of a type in a module has a value in a field.';

grant execute on function public.is_unique_in_module(bigint, bigint, text, text, text, text, bigint, bigint)
to pgreprise_api, pgreprise_dba;
