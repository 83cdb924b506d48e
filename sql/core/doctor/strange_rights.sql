-- strange_rights: what roles hold on our objects that no migration grants: on schema pgreprise; on its tables, their
-- columns, its sequences and types; and on our routines. The owner of an object and pgreprise_owner are left out, and
-- so are PUBLIC and our groups where another query is about them (schema_rights, table_rights, routine_rights).
-- A DBA may let a role call one entry point only, as a deployment that sets the cache versions: may_be_meant.
-- A query: it returns one row for each object and role.
with object as (
  select
    'schema' as kind,
    namespace.nspname::text as name,
    namespace.nspowner as owner_id,
    namespace.nspacl as acl,
    null::name as column_name,
    false as is_of_entry_point
  from pg_catalog.pg_namespace as namespace
  where namespace.nspname = 'pgreprise'
  union all
  select
    case relation.relkind when 'S' then 'sequence' else 'table' end as kind,
    relation.oid::regclass::text as name,
    relation.relowner as owner_id,
    relation.relacl as acl,
    null as column_name,
    false as is_of_entry_point
  from pg_catalog.pg_class as relation
  where relation.relnamespace = 'pgreprise'::regnamespace and relation.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select
    'table' as kind,
    relation.oid::regclass::text as name,
    relation.relowner as owner_id,
    attribute.attacl as acl,
    attribute.attname as column_name,
    false as is_of_entry_point
  from pg_catalog.pg_class as relation
  inner join pg_catalog.pg_attribute as attribute on relation.oid = attribute.attrelid
  where relation.relnamespace = 'pgreprise'::regnamespace and attribute.attacl is not null
  union all
  select
    'type' as kind,
    type.oid::regtype::text as name,
    type.typowner as owner_id,
    coalesce(type.typacl, pg_catalog.acldefault('T', type.typowner)) as acl,
    null as column_name,
    false as is_of_entry_point
  from pg_catalog.pg_type as type
  left join pg_catalog.pg_class as relation on type.typrelid = relation.oid
  where type.typnamespace = 'pgreprise'::regnamespace and (type.typtype in ('e', 'd') or relation.relkind = 'c')
  union all
  select
    case routine.prokind when 'p' then 'procedure' else 'function' end as kind,
    routine.oid::regprocedure::text as name,
    routine.proowner as owner_id,
    coalesce(routine.proacl, pg_catalog.acldefault('f', routine.proowner)) as acl,
    null as column_name,
    namespace.nspname = 'public' as is_of_entry_point
  from pgreprise.routine_version as registered
  inner join pg_catalog.pg_namespace as namespace on namespace.nspname = split_part(registered.routine, '.', 1)
  inner join pg_catalog.pg_proc as routine
    on namespace.oid = routine.pronamespace and routine.proname = split_part(registered.routine, '.', 2)
),

held as (
  select
    object.kind,
    object.name,
    object.column_name,
    object.is_of_entry_point,
    coalesce(role.rolname, 'public') as role,
    lower(entry.privilege_type) as privilege,
    entry.is_grantable
  from object
  cross join lateral pg_catalog.aclexplode(object.acl) as entry
  left join pg_catalog.pg_roles as role on entry.grantee = role.oid
  where entry.grantee <> object.owner_id and coalesce(role.rolname, '') <> 'pgreprise_owner'
)

select
  held.kind,
  held.name as object,
  held.role,
  bool_and(held.is_of_entry_point and not held.is_grantable) as may_be_meant,
  array_agg(distinct held.privilege || coalesce(' (' || quote_ident(held.column_name) || ')', '')) as privileges,
  format('revoke all on %s %s from %s cascade;', held.kind, held.name,
    case held.role when 'public' then 'public' else quote_ident(held.role) end) as remedy
from held
where
  case
    when held.role in ('pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor', 'pgreprise_worker')
      then held.kind in ('sequence', 'type')
    when held.role = 'public'
      then held.kind in ('sequence', 'type') or held.kind = 'schema' and held.privilege = 'usage'
    else true
  end
group by held.kind, held.name, held.role
order by held.kind, held.name, held.role;
