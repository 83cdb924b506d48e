-- dependent_routines(routine): the routines of pgreprise whose definition uses this one (schema.name), directly or
-- through others, as domain/name. PostgreSQL knows this of bodies in standard SQL (begin atomic) only; a PL/pgSQL
-- body finds what it calls when it runs. Used by migrations only.
create or replace function pgreprise.dependent_routines(routine text)
returns setof text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with recursive dependent as (
      select procedure.oid
        from pg_proc as procedure
        join pg_namespace as namespace on namespace.oid = procedure.pronamespace
       where namespace.nspname || '.' || procedure.proname = dependent_routines.routine
      union
      select entry.objid
        from dependent
        join pg_depend as entry
          on entry.refclassid = 'pg_proc'::regclass and entry.refobjid = dependent.oid
         and entry.classid = 'pg_proc'::regclass
    )

    select registered.name
      from dependent
      join pg_proc as procedure on procedure.oid = dependent.oid
      join pg_namespace as namespace on namespace.oid = procedure.pronamespace
      join pgreprise.routine_version as registered
        on registered.routine = namespace.nspname || '.' || procedure.proname
     where registered.routine <> dependent_routines.routine
     order by registered.name;
end;
$$;

comment on function pgreprise.dependent_routines(text) is
'Migrations only: the routines of pgreprise whose definition uses this one.';
