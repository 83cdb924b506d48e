-- require_module_access(unit_id, module_type_id, action): refuses a caller who may not see (view) or change (edit) the
-- entries of a module of a unit. Returns null for a caller who may do so with all entries; else the institutional id
-- that an entry must carry (see is_own_entry), which is the caller's own, the claim "institutional_id".
-- Raises RC001, for every caller, when the unit does not exist; RC002 for a caller without the right.
create or replace function pgreprise.require_module_access(unit_id bigint, module_type_id bigint, action text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  own    constant jsonb := pgreprise.claims() -> 'institutional_id';
  module text;
  access text;
begin
  select module_type.name into module
    from pgreprise.carbon_module_type as module_type
   where module_type.module_type_id = require_module_access.module_type_id;

  access := pgreprise.carbon_access(require_module_access.unit_id, module, require_module_access.action);
  if access = 'all' then
    return null;
  elsif access = 'own' and jsonb_typeof(own) = 'string' and own #>> '{}' <> '' then
    return own #>> '{}';
  end if;

  perform pgreprise.raise_permission_denied('modules.' || coalesce(module, 'unknown'), require_module_access.action,
    case access
      when 'own' then 'The role is for own entries only, so the token needs the claim "institutional_id".'
      else 'The table pgreprise.carbon_role_right says which roles have this right.' end);
  return null;
end;
$$;

comment on function pgreprise.require_module_access(bigint, bigint, text) is
'Refuses a caller without access to a module (RC002), or says whose entries the caller is limited to.';
