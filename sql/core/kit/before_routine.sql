-- before_routine(name, routine, installed_version, recreate): what has to happen before the text of
-- a routine's file runs. Refuses to touch a routine that is not pgreprise's, or whose installed
-- version is not the expected one. With recreate (the signature changes) the old routine is dropped
-- after its grants and its comment are kept for after_routine(). Used by migrations only.
-- Raises 42723 for a routine that stands in the way, 55000 for an unexpected version.
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
  standing     regprocedure[];
  recorded     integer;
  kept         jsonb := jsonb_build_object();
begin
  select registered.version into recorded
    from pgreprise.routine_version as registered
   where registered.name = before_routine.name;

  standing := array(
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

  if before_routine.installed_version is null and cardinality(standing) > 0 then
    raise exception using
      errcode = 'duplicate_function',
      message = format('%s exists already and is not a routine of pgreprise.', array_to_string(standing, ', ')),
      hint = 'Rename or drop it, then migrate again; pgreprise replaces nothing that it did not install.';
  end if;

  if before_routine.installed_version is not null and cardinality(standing) <> 1 then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Routine %s should exist once, found: %s.', before_routine.routine,
        coalesce(nullif(array_to_string(standing, ', '), ''), 'none')),
      hint = 'Someone dropped or overloaded it by hand. Restore the registered one, then migrate again.';
  end if;

  if before_routine.recreate then
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
     where procedure.oid = standing[1];
    execute format('drop routine %s', standing[1]);
  end if;

  -- Read by after_routine() in the same transaction: what a new routine starts with.
  -- Empty for a replacement in place, where PostgreSQL itself keeps owner, grants and comment.
  perform set_config('pgreprise.kept',
    case when before_routine.installed_version is null or before_routine.recreate then kept::text else '' end,
    true);
end;
$$;

comment on function pgreprise.before_routine(text, text, integer, boolean) is
'Migrations only: checks, and for a changed signature drops, what stands where a routine is to be installed.';
