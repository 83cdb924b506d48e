-- pick_role_for_institutional_id(roles, institutional_id): the strongest role that the claim "roles" gives for a
-- unit, or null. calco2.user.principal is stronger than calco2.user.standard, which is stronger than any other role.
-- Only roles on this unit that have rights count (see carbon_role_rights), so there are none for a unit without an
-- institutional_id, and roles on an affiliation and global roles do not count.
create or replace function public.pick_role_for_institutional_id(roles jsonb, institutional_id text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select held.role
      from pgreprise.carbon_role_rights(pick_role_for_institutional_id.roles) as held
     where held.institutional_id = pick_role_for_institutional_id.institutional_id
     order by case held.role
       when 'calco2.user.principal' then 1 when 'calco2.user.standard' then 2 else 3 end, held.role
     limit 1
  );
end;
$$;

comment on function public.pick_role_for_institutional_id(jsonb, text) is
'The strongest role that the claim "roles" gives for the unit of an institutional id, or null.';

grant execute on function public.pick_role_for_institutional_id(jsonb, text) to pgreprise_api, pgreprise_dba;
