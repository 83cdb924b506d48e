-- table_rights: which rights PUBLIC, our groups and their members hold on our tables. Callers should hold none,
-- because they work through the routines. A right on a column counts as a right on its table.
-- A query: it returns one row for each role and set of rights, with the tables that it concerns. is_direct: a grant
-- names the role itself; is_owner: the role has the rights of the owner. What PUBLIC holds is listed for PUBLIC only.
-- Superusers hold every right; they are left out here, and role_attributes and role_members show them.
with role as (
  select
    0::oid as id,
    'public' as name
  union all
  select
    grantee.oid as id,
    grantee.rolname::text as name
  from pg_catalog.pg_roles as grantee
  where
    not grantee.rolsuper
    and (
      pg_catalog.pg_has_role(grantee.oid, 'pgreprise_reader', 'member')
      or pg_catalog.pg_has_role(grantee.oid, 'pgreprise_api', 'member')
      or pg_catalog.pg_has_role(grantee.oid, 'pgreprise_dba', 'member')
      or pg_catalog.pg_has_role(grantee.oid, 'pgreprise_monitor', 'member')
      or pg_catalog.pg_has_role(grantee.oid, 'pgreprise_worker', 'member')
    )
),

-- Our tables: those of schema pgreprise, and those of the host that our routines work on.
ours as (
  select
    relation.oid as id,
    relation.oid::regclass::text as name,
    relation.relowner as owner_id,
    relation.relacl as acl
  from pg_catalog.pg_class as relation
  where
    relation.relkind in ('r', 'p', 'v', 'm', 'f')
    and (
      relation.relnamespace = 'pgreprise'::regnamespace
      or relation.relnamespace = 'public'::regnamespace
      and 'pgreprise_owner'::regrole in (select entry.grantee from pg_catalog.aclexplode(relation.relacl) as entry)
    )
),

held as (
  select
    role.id as role_id,
    ours.id as table_id,
    wanted.privilege,
    wanted.position
  from role
  cross join ours
  cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
    with ordinality as wanted (privilege, position)
  where
    pg_catalog.has_table_privilege(role.name, ours.id, wanted.privilege)
    or wanted.privilege in ('select', 'insert', 'update', 'references')
    and pg_catalog.has_any_column_privilege(role.name, ours.id, wanted.privilege)
),

held_beyond_public as (
  select held.*
  from held
  left join held as held_by_public
    on
      held_by_public.role_id = 0
      and held.table_id = held_by_public.table_id
      and held.privilege = held_by_public.privilege
  where held.role_id = 0 or held_by_public.role_id is null
),

role_on_table as (
  select
    role.name as role,
    ours.name as table_name,
    array(
      select held.privilege
      from held_beyond_public as held
      where held.role_id = role.id and held.table_id = ours.id
      order by held.position
    ) as rights,
    role.id in (
      select entry.grantee from pg_catalog.aclexplode(ours.acl) as entry
      union all
      select entry.grantee
      from pg_catalog.pg_attribute as attribute
      cross join lateral pg_catalog.aclexplode(attribute.attacl) as entry
      where attribute.attrelid = ours.id
    ) as is_direct,
    role.id <> 0 and pg_catalog.pg_has_role(role.id, ours.owner_id, 'usage') as is_owner
  from role
  cross join ours
)

select
  found.role,
  found.rights,
  found.is_direct,
  found.is_owner,
  array_agg(found.table_name order by found.table_name) as tables
from role_on_table as found
where cardinality(found.rights) > 0 or found.is_owner
group by found.role, found.rights, found.is_direct, found.is_owner
order by found.role, found.rights, found.is_direct, found.is_owner;
