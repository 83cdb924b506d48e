-- schema_rights: whether PUBLIC or one of our groups may create objects in the schemas public and pgreprise.
-- The doctor reports each row as a problem. A query: it returns one row a schema and role. When PUBLIC may, every
-- role may, and only the row of PUBLIC is returned.
select
  namespace.nspname as schema,
  role.name as role
from pg_catalog.pg_namespace as namespace
cross join (values ('public'), ('pgreprise_reader'), ('pgreprise_api'), ('pgreprise_dba')) as role (name)
where
  namespace.nspname in ('public', 'pgreprise')
  and pg_catalog.has_schema_privilege(role.name, namespace.oid, 'create')
  and (role.name = 'public' or not pg_catalog.has_schema_privilege('public', namespace.oid, 'create'))
order by namespace.nspname, role.name;
