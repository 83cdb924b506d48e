-- carbon_access(unit_id, resource, action): whether the caller may do this in a unit: 'all', 'own' for the own entries
-- only, or null for not at all. Everything that asks for access asks here. A unit without an institutional id, or with
-- an empty one, is open to global roles only.
-- Raises RC001, for every caller, when the unit does not exist.
create or replace function pgreprise.carbon_access(unit_id bigint, resource text, action text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  unit_institutional_id text;
begin
  select nullif(unit.institutional_id, '') into unit_institutional_id
    from public.units as unit
   where unit.id = carbon_access.unit_id;

  if not found then
    raise exception using
      errcode = 'RC001',
      message = format('Unit #%s not found.', coalesce(carbon_access.unit_id::text, 'null')),
      detail = jsonb_build_object('unit_id', carbon_access.unit_id),
      hint = 'List the units: select id, institutional_id, name from public.units;';
  end if;

  return (
    select case when bool_and(held.only_own) then 'own' else 'all' end
      from pgreprise.carbon_caller_rights() as held
     where (held.kind = 'global' or held.institutional_id = unit_institutional_id)
       and held.resource = carbon_access.resource
       and held.action = carbon_access.action
    having count(*) > 0
  );
end;
$$;

comment on function pgreprise.carbon_access(bigint, text, text) is
'Whether the caller may do something in a unit: all, own, or null.';
