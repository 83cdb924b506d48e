-- strange_objects: what stands in the schema pgreprise and was made neither by its migrations nor by an extension. The
-- doctor asks where it has made the tables and types of the migrations in the temporary schema (table_differences).
-- A query: it returns one row a table, view, sequence, type or routine, with the statement that drops it.
with strange as (
  select
    'pg_catalog.pg_class'::pg_catalog.regclass as catalog,
    relation.oid
  from pg_catalog.pg_class as relation
  where
    relation.relnamespace = 'pgreprise'::regnamespace
    and relation.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    -- Alembic's own.
    and relation.relname <> 'alembic_version'
    and not exists (
      select from pg_catalog.pg_class as wanted
      where wanted.relnamespace = pg_catalog.pg_my_temp_schema() and wanted.relname = relation.relname
    )
    -- The sequence of a column goes with its table, which is ours or is named.
    and not exists (
      select from pg_catalog.pg_depend as owned
      where
        owned.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and owned.objid = relation.oid
        and owned.refobjsubid > 0 and owned.deptype in ('a', 'i')
    )
  union all
  select
    'pg_catalog.pg_type'::pg_catalog.regclass,
    type.oid
  from pg_catalog.pg_type as type
  left join pg_catalog.pg_class as relation on type.typrelid = relation.oid
  where
    type.typnamespace = 'pgreprise'::regnamespace
    and (type.typtype in ('d', 'e', 'r') or relation.relkind = 'c')
    and not exists (
      select from pg_catalog.pg_type as wanted
      where wanted.typnamespace = pg_catalog.pg_my_temp_schema() and wanted.typname = type.typname
    )
  union all
  select
    'pg_catalog.pg_proc'::pg_catalog.regclass,
    routine.oid
  from pg_catalog.pg_proc as routine
  where
    routine.pronamespace = 'pgreprise'::regnamespace
    and not exists (
      select from pgreprise.routine_version as registered
      where registered.routine = 'pgreprise.' || routine.proname
    )
)

select
  format('%s %s', named.type, named.identity) as object,
  format('drop %s %s;', named.type, named.identity) as remedy
from strange
cross join lateral pg_catalog.pg_identify_object(strange.catalog, strange.oid, 0) as named
where
  not exists (
    select from pg_catalog.pg_depend as member
    where
      member.classid = strange.catalog and member.objid = strange.oid
      -- The constructors of a range are parts of it; a type of columns is a part of itself.
      and (member.deptype = 'e' or member.deptype = 'i' and member.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
  )
order by object;
