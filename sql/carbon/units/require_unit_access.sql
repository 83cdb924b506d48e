-- require_unit_access(unit_id, principal_only): may the caller see and change what belongs to a unit? A role with
-- global scope passes, and so does a member of pgreprise_dba who acts without a token; otherwise the caller needs
-- a role whose scope is that unit, with principal_only the one of its principal. Every routine of the carbon
-- domain that meets a unit asks here; there is no other copy of these rules.
-- Raises RC001 for a unit that does not exist, whoever asks; RC002 for a caller without access.
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
      hint = 'select id, institutional_id, name from public.units lists the units that exist.';
  end if;

  -- Strict and silent: what is not a list of roles has none.
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
        then format('No access to unit #%s.', require_unit_access.unit_id)
        else format('Only the principal of unit #%s may do this.', require_unit_access.unit_id) end,
      detail = jsonb_build_object('unit_id', require_unit_access.unit_id, 'role', held),
      hint = 'A role of the claim "roles" has to be global, or on this unit by its institutional_id.';
  end if;
end;
$$;

comment on function public.require_unit_access(bigint, boolean) is
'Refuses a caller without access to a unit (RC002), and a unit that does not exist (RC001).';

grant execute on function public.require_unit_access(bigint, boolean) to pgreprise_api, pgreprise_dba;
