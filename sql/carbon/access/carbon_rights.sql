-- carbon_rights(): what each role may do, the rows of the table carbon_role_right.
-- Returns role, kind, resource, action, only_own. Raises RR017.
create or replace function public.carbon_rights()
returns table (role text, kind text, resource text, action text, only_own boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');

  return query
    select allowed.role, allowed.kind, allowed.resource, allowed.action, allowed.only_own
      from pgreprise.carbon_role_right as allowed
     order by allowed.role, allowed.kind, allowed.resource, allowed.action;
end;
$$;

comment on function public.carbon_rights() is 'What each role of the carbon domain may do, by its name and kind.';

grant execute on function public.carbon_rights() to pgreprise_dba;
