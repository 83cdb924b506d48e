-- role_attributes: which attributes our roles have. They only hold rights, so they should have none of these.
-- A query: it returns one row a role with the attributes found, each as the word that `alter role` takes.
select
  role.rolname as role,
  array_remove(array[
    case when role.rolcanlogin then 'login' end,
    case when role.rolsuper then 'superuser' end,
    case when role.rolcreaterole then 'createrole' end,
    case when role.rolcreatedb then 'createdb' end,
    case when role.rolreplication then 'replication' end,
    case when role.rolbypassrls then 'bypassrls' end
  ], null) as attributes
from pg_catalog.pg_roles as role
where role.rolname in ('pgreprise_owner', 'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor',
  'pgreprise_worker', 'pgreprise_router')
order by role.rolname;
