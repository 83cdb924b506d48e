-- carbon_permissions(unit_ids): who calls, and what the caller may do, for an application that asks. Returns {"sub",
-- "institutional_id", "roles", "permissions"}; permissions are {"modules.<name>/<institutional id>": ["view", ...],
-- "module.status/...": ["edit"], "reports/...": [...]}, with /own at the end for modules of a role of that kind, and
-- nothing after the name for a global role. With unit_ids, only those of these units and of global roles.
-- Raises RR017.
create or replace function public.carbon_permissions(unit_ids bigint[] default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');

  return jsonb_build_object(
    'sub', pgreprise.claims() -> 'sub',
    'institutional_id', pgreprise.claims() -> 'institutional_id',
    'roles', case jsonb_typeof(pgreprise.claims() -> 'roles')
      when 'array' then pgreprise.claims() -> 'roles' else '[]' end,
    'permissions', (
      select coalesce(jsonb_object_agg(permission.key, permission.actions), '{}')
        from (
          select concat_ws('/',
                case held.resource when 'reports' then 'reports' when 'module_status' then 'module.status'
                  else 'modules.' || held.resource end,
                held.institutional_id,
                case when held.resource <> 'reports' and (held.kind = 'own' or held.only_own) then 'own' end
              ) as key,
              jsonb_agg(distinct held.action order by held.action) as actions
            from pgreprise.carbon_caller_rights() as held
           where carbon_permissions.unit_ids is null or held.kind = 'global'
              or exists (
                select from public.units as unit
                 where unit.id = any (carbon_permissions.unit_ids)
                   and unit.institutional_id = held.institutional_id
              )
           group by 1
        ) as permission
    ));
end;
$$;

comment on function public.carbon_permissions(bigint[]) is
'Who calls, and what the caller may do in the carbon domain.';

grant execute on function public.carbon_permissions(bigint[]) to pgreprise_api, pgreprise_dba;
