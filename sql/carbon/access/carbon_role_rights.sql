-- carbon_role_rights(roles): what the claim "roles" allows, one row a role and right. institutional_id is the unit's,
-- null for a global role. A role without a name or with an unknown one has no right, and neither has one on an
-- affiliation, on '' or on what is no text. A claim that is no list of roles gives no row.
create or replace function pgreprise.carbon_role_rights(roles jsonb)
returns table (role text, kind text, institutional_id text, resource text, action text, only_own boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select held.role, held.kind, held.institutional_id, allowed.resource, allowed.action, allowed.only_own
      from jsonb_array_elements(
        case jsonb_typeof(carbon_role_rights.roles) when 'array' then carbon_role_rights.roles else '[]' end
      ) as entry(value)
     cross join lateral (
       select entry.value ->> 'role' as role, named.kind,
           case when named.kind <> 'global' then nullif(entry.value -> 'on' ->> 'institutional_id', '')
           end as institutional_id
         from (
           select case
             when entry.value -> 'on' ? 'kind' then nullif(entry.value -> 'on' ->> 'kind', 'unlabelled')
             -- As the application wrote roles before they had a kind.
             when entry.value -> 'on' ->> 'scope' = 'global' then 'global'
             when entry.value -> 'on' ->> 'affiliation' is null then 'unlabelled'
           end as kind
         ) as named
        where jsonb_typeof(entry.value) = 'object'
          and jsonb_typeof(entry.value -> 'on') = 'object'
          and jsonb_typeof(entry.value -> 'role') = 'string'
          and (named.kind = 'global' or jsonb_typeof(entry.value -> 'on' -> 'institutional_id') = 'string')
     ) as held
      join pgreprise.carbon_role_right as allowed on allowed.role = held.role and allowed.kind = held.kind
     where held.kind = 'global' or held.institutional_id is not null;
end;
$$;

comment on function pgreprise.carbon_role_rights(jsonb) is
'What a list of roles allows, by the table carbon_role_right.';
