-- carbon_caller_rights(): the rights of the caller, as carbon_role_rights has them. A member of pgreprise_dba without a
-- token has those of pgreprise.operator.
create or replace function pgreprise.carbon_caller_rights()
returns table (role text, kind text, institutional_id text, resource text, action text, only_own boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select held.*
      from pgreprise.carbon_role_rights(case
        when pgreprise.is_operator() then '[{"role": "pgreprise.operator", "on": {"kind": "global"}}]'::jsonb
        else pgreprise.claims() -> 'roles' end) as held
     -- A token that has a role of this name gives nothing.
     where held.role <> 'pgreprise.operator' or pgreprise.is_operator();
end;
$$;

comment on function pgreprise.carbon_caller_rights() is 'What the caller may do in the carbon domain.';
