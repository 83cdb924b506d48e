-- routine_rights: who owns each of our routines, and which of PUBLIC and our groups may call it.
-- The doctor compares the callers with those that the file grants. A query: it returns one row a routine, overloads
-- included. A group that is a superuser may call everything; it is left out here, and role_attributes shows it.
select
  registered.name,
  registered.version,
  routine.oid::regprocedure::text as signature,
  case routine.prokind when 'p' then 'procedure' else 'function' end as kind,
  pg_catalog.pg_get_userbyid(routine.proowner) as owner,
  array(
    select role.name
    from (
      values ('public'), ('pgreprise_reader'), ('pgreprise_api'), ('pgreprise_dba'), ('pgreprise_monitor'),
        ('pgreprise_worker')
    ) as role (name)
    where
      pg_catalog.has_function_privilege(role.name, routine.oid, 'execute')
      and not exists (
        select from pg_catalog.pg_roles as superuser
        where superuser.rolname = role.name and superuser.rolsuper
      )
  ) as callers
from pgreprise.routine_version as registered
inner join pg_catalog.pg_namespace as namespace on namespace.nspname = split_part(registered.routine, '.', 1)
inner join pg_catalog.pg_proc as routine
  on namespace.oid = routine.pronamespace and routine.proname = split_part(registered.routine, '.', 2)
order by registered.name, routine.oid::regprocedure::text;
