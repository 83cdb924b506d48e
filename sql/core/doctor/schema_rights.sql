-- schema_rights: which rights on the schemas public and pgreprise are too wide or too narrow: PUBLIC and our groups may
-- create in neither, pgreprise_owner has to own routines in both, and callers have to reach them.
-- A query: it returns one row a schema, role and right. When PUBLIC may create, every role may, and only the row of
-- PUBLIC is returned.
select
  namespace.nspname as schema,
  role.name as role,
  wanted.privilege,
  role.name = 'pgreprise_owner' or wanted.privilege = 'usage' as is_missing
from pg_catalog.pg_namespace as namespace
cross join (
  values
  ('public'), ('pgreprise_owner'), ('pgreprise_reader'), ('pgreprise_api'), ('pgreprise_dba'), ('pgreprise_monitor'),
  ('pgreprise_worker')
) as role (name)
cross join (values ('create'), ('usage')) as wanted (privilege)
where
  namespace.nspname in ('public', 'pgreprise')
  and case
    when role.name = 'pgreprise_owner' or role.name <> 'public' and wanted.privilege = 'usage'
      then not pg_catalog.has_schema_privilege(role.name, namespace.oid, wanted.privilege)
    when wanted.privilege = 'create'
      then
        pg_catalog.has_schema_privilege(role.name, namespace.oid, 'create')
        and (role.name = 'public' or not pg_catalog.has_schema_privilege('public', namespace.oid, 'create'))
    else false
  end
order by namespace.nspname, role.name, wanted.privilege;
