-- routine_signatures: the routines that have one name. The doctor asks after it has installed the routine's file in a
-- transaction that it rolls back: is_of_file is true for the one that the file creates. A query: the parameter is the
-- name (schema.routine); it returns one row a routine.
select
  case routine.prokind when 'p' then 'procedure' else 'function' end as kind,
  routine.oid::regprocedure::text as signature,
  routine.xmin = pg_catalog.pg_current_xact_id()::xid as is_of_file
from pg_catalog.pg_proc as routine
inner join pg_catalog.pg_namespace as namespace on routine.pronamespace = namespace.oid
where namespace.nspname || '.' || routine.proname = %(routine)s
order by signature;
