-- routine_definitions: the definitions of all routines that have one name, so that an overload made by hand shows.
-- The doctor asks before and after it installs the routine's file again. A query: the parameter is the name
-- (schema.routine); it returns one row with an array, which is null when there is no such routine.
select array_agg(pg_catalog.pg_get_functiondef(routine.oid) order by routine.oid::regprocedure::text) as definitions
from pg_catalog.pg_proc as routine
inner join pg_catalog.pg_namespace as namespace on routine.pronamespace = namespace.oid
where namespace.nspname || '.' || routine.proname = %(routine)s;
