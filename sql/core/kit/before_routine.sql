-- before_routine(name, routine, installed_version, recreate): what has to happen before the text of a routine's
-- file runs. Refuses a routine that is not pgreprise's, and one whose installed version is not the expected one.
-- With recreate (the signature changes, or a routine that this one uses is recreated) the old routine is dropped;
-- its grants and its comment are kept for after_routine(). Used by migrations only.
-- Raises 42723 for a routine of somebody else, 55000 for an unexpected version, 2BP01 where other objects use a
-- routine that has to be dropped.
create or replace function pgreprise.before_routine(
  name text, routine text, installed_version integer default null, recreate boolean default false
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  schema_name  text := split_part(before_routine.routine, '.', 1);
  routine_name text := split_part(before_routine.routine, '.', 2);
  existing     regprocedure[];
  recorded     integer;
  kept         jsonb := jsonb_build_object();
  used_by      text;
begin
  select registered.version into recorded
    from pgreprise.routine_version as registered
   where registered.name = before_routine.name;

  existing := array(
    select procedure.oid::regprocedure
      from pg_proc as procedure
      join pg_namespace as namespace on namespace.oid = procedure.pronamespace
     where namespace.nspname = schema_name and procedure.proname = routine_name
  );

  if recorded is distinct from before_routine.installed_version then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Routine %s is installed as version %s; this migration expects %s.',
        before_routine.name, coalesce(recorded::text, 'none'),
        coalesce(before_routine.installed_version::text, 'none')),
      hint = 'Run `pgreprise doctor`, and migrate from the revision that the database is really at.';
  end if;

  if before_routine.installed_version is null and cardinality(existing) > 0 then
    raise exception using
      errcode = 'duplicate_function',
      message = format('%s exists already and is not a routine of pgreprise.', array_to_string(existing, ', ')),
      hint = 'Rename or drop it, then migrate again; pgreprise replaces only what it installed.';
  end if;

  if before_routine.installed_version is not null and cardinality(existing) <> 1 then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Routine %s should exist once, found: %s.', before_routine.routine,
        coalesce(nullif(array_to_string(existing, ', '), ''), 'none')),
      hint = 'Someone dropped or overloaded it by hand. Restore the registered one, then migrate again.';
  end if;

  if before_routine.recreate then
    select string_agg(dependent.name, ', ' order by dependent.name) into used_by
      from pgreprise.dependent_routines(before_routine.routine) as dependent(name);
    if used_by is not null then
      raise exception using
        errcode = 'dependent_objects_still_exist',
        message = format('Routine %s has to be dropped, and other routines use it: %s.', before_routine.name, used_by),
        hint = 'Where its signature changes, name them in the same operation: '
          'op.replace_routine(..., dependents={"domain/name": (1, 1)}). Where it goes, change them first.';
    end if;

    select jsonb_build_object(
             'comment', obj_description(procedure.oid, 'pg_proc'),
             'grants', (
               select coalesce(jsonb_agg(jsonb_build_object(
                        -- Null is PUBLIC.
                        'grantee', case when privilege.grantee <> 0 then pg_get_userbyid(privilege.grantee) end,
                        'grantable', privilege.is_grantable)), '[]')
                 from aclexplode(coalesce(procedure.proacl, acldefault('f', procedure.proowner))) as privilege
                where privilege.grantee <> procedure.proowner
             ))
      into kept
      from pg_proc as procedure
     where procedure.oid = existing[1];
    begin
      execute format('drop routine %s', existing[1]);
    exception
      when dependent_objects_still_exist then
        get stacked diagnostics used_by = pg_exception_detail;
        raise exception using
          errcode = 'dependent_objects_still_exist',
          message = format('Routine %s cannot be dropped, since other objects depend on it.', before_routine.name),
          detail = used_by,
          hint = 'Change or drop these objects first; pgreprise drops nothing with cascade.';
    end;
  end if;

  -- after_routine() reads it in the same transaction: what the routine begins with, by name. A routine that is
  -- replaced in place has no entry: PostgreSQL itself keeps its owner, grants and comment.
  if before_routine.installed_version is null or before_routine.recreate then
    perform set_config('pgreprise.kept', (
      coalesce(nullif(current_setting('pgreprise.kept', true), ''), '{}')::jsonb
      || jsonb_build_object(before_routine.name, kept)
    )::text, true);
  end if;
end;
$$;

comment on function pgreprise.before_routine(text, text, integer, boolean) is
'Migrations only: checks, and for a changed signature drops, the routine that is to be installed anew.';
