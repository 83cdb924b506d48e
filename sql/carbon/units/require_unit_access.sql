-- require_unit_access(unit_id, principal_only): refuses a caller who may not see and change what belongs to a unit.
-- A global role has access, and so has a member of pgreprise_dba without a token. Any other caller needs a role on
-- this unit; with principal_only it must be the role of the principal. All routines of the carbon domain use these
-- rules, and they are written only here.
-- Raises RC001, for every caller, when the unit does not exist; RC002 for a caller without access.
create or replace function public.require_unit_access(unit_id bigint, principal_only boolean default false)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  roles            constant jsonb := pgreprise.claims() -> 'roles';
  institutional_id text;
  held             text;
begin
  select unit.institutional_id into institutional_id
    from public.units as unit
   where unit.id = require_unit_access.unit_id;

  if not found then
    raise exception using
      errcode = 'RC001',
      message = format('Unit #%s not found.', coalesce(require_unit_access.unit_id::text, 'null')),
      detail = jsonb_build_object('unit_id', require_unit_access.unit_id),
      hint = 'List the units: select id, institutional_id, name from public.units;';
  end if;

  -- Strict and silent: a claim that is not a list of roles gives no role.
  if jsonb_path_exists(roles, 'strict $[*] ? (@.on.kind == "global")', silent => true)
    or pgreprise.is_operator()
  then
    return;
  end if;

  held := public.pick_role_for_institutional_id(roles, institutional_id);
  if held is null or (require_unit_access.principal_only and held <> 'calco2.user.principal') then
    raise exception using
      errcode = 'RC002',
      message = case when held is null
        then format('The caller has no access to unit #%s.', require_unit_access.unit_id)
        else format('Only the principal of unit #%s may do this.', require_unit_access.unit_id) end,
      detail = jsonb_build_object('unit_id', require_unit_access.unit_id, 'role', held),
      hint = 'The claim "roles" needs a role that is global, or a role on the institutional_id of this unit.';
  end if;
end;
$$;

comment on function public.require_unit_access(bigint, boolean) is
'Refuses a caller without access to a unit (RC002), and an id that no unit has (RC001).';

grant execute on function public.require_unit_access(bigint, boolean) to pgreprise_api, pgreprise_dba;
