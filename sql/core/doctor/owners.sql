-- owners: our schema, tables, sequences and types that belong to another role than the rest of them: who migrates owns
-- them, and another owner may change them and read the archive. A query: it returns one row an object, with the
-- owner of most tables. Superusers are as good as each other.
with object as (
  select
    'schema' as kind,
    namespace.nspname::text as name,
    namespace.nspowner as owner_id
  from pg_catalog.pg_namespace as namespace
  where namespace.nspname = 'pgreprise'
  union all
  select
    case relation.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end as kind,
    relation.oid::regclass::text as name,
    relation.relowner as owner_id
  from pg_catalog.pg_class as relation
  where
    relation.relnamespace = 'pgreprise'::regnamespace
    and relation.relkind in ('r', 'p', 'v', 'S')
    -- The sequence of a column goes with its table.
    and not exists (
      select from pg_catalog.pg_depend as entry
      where
        entry.classid = 'pg_class'::regclass and entry.objid = relation.oid
        and entry.refobjsubid > 0 and entry.deptype in ('a', 'i')
    )
  union all
  select
    'type' as kind,
    type.oid::regtype::text as name,
    type.typowner as owner_id
  from pg_catalog.pg_type as type
  left join pg_catalog.pg_class as relation on type.typrelid = relation.oid
  where type.typnamespace = 'pgreprise'::regnamespace and (type.typtype in ('e', 'd') or relation.relkind = 'c')
),

usual as (
  select mode() within group (order by object.owner_id) as owner_id
  from object
  where object.kind = 'table'
)

select
  object.kind,
  object.name as object,
  owner.rolname as owner,
  wanted.rolname as wanted_owner,
  format('alter %s %s owner to %I;', object.kind, object.name, wanted.rolname) as remedy
from object
cross join usual
inner join pg_catalog.pg_roles as owner on object.owner_id = owner.oid
inner join pg_catalog.pg_roles as wanted on usual.owner_id = wanted.oid
where owner.oid <> wanted.oid and not (owner.rolsuper and wanted.rolsuper)
order by object.kind, object.name;
