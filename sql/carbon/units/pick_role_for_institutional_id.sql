-- pick_role_for_institutional_id(roles, institutional_id): the strongest role that the claim "roles" gives for a
-- unit, or null. calco2.user.principal is stronger than calco2.user.standard, which is stronger than any other role.
-- Only roles on this unit count (kind "unit" or "own"). Roles on an affiliation and global roles do not count.
-- There are no roles for a unit without an institutional_id.
create or replace function public.pick_role_for_institutional_id(roles jsonb, institutional_id text)
returns text
language plpgsql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select entry.value ->> 'role'
      from jsonb_array_elements(
        case jsonb_typeof(pick_role_for_institutional_id.roles)
          when 'array' then pick_role_for_institutional_id.roles else '[]' end
      ) as entry(value)
     where entry.value -> 'on' ->> 'kind' in ('unit', 'own')
       and entry.value -> 'on' ->> 'institutional_id' = nullif(pick_role_for_institutional_id.institutional_id, '')
       and entry.value ->> 'role' is not null
     order by case entry.value ->> 'role'
       when 'calco2.user.principal' then 1 when 'calco2.user.standard' then 2 else 3 end, entry.value ->> 'role'
     limit 1
  );
end;
$$;

comment on function public.pick_role_for_institutional_id(jsonb, text) is
'The strongest role that the claim "roles" gives for the unit of an institutional id, or null.';

grant execute on function public.pick_role_for_institutional_id(jsonb, text) to pgreprise_api, pgreprise_dba;
