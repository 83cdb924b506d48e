-- after_routine(name, routine, version, checksum): what has to happen after the text of a routine's file ran.
-- A routine that is new, or was dropped first, is given to pgreprise_owner; EXECUTE on it is revoked from PUBLIC and
-- from whoever got it by the host's default privileges, and it gets back the grants that before_routine() kept, and the
-- comment where the file has none. The grants of the file are to run again afterwards. Records the version.
-- Used by migrations only.
-- Raises 55000 when the file did not create exactly the routine that it is named after.
create or replace function pgreprise.after_routine(name text, routine text, version integer, checksum text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  schema_name  text := split_part(after_routine.routine, '.', 1);
  routine_name text := split_part(after_routine.routine, '.', 2);
  existing     regprocedure[];
  all_kept     jsonb := coalesce(nullif(current_setting('pgreprise.kept', true), ''), '{}')::jsonb;
  kept         jsonb := all_kept -> after_routine.name;
  kept_grant   record;
  given        record;
begin
  existing := array(
    select procedure.oid::regprocedure
      from pg_proc as procedure
      join pg_namespace as namespace on namespace.oid = procedure.pronamespace
     where namespace.nspname = schema_name and procedure.proname = routine_name
  );
  if cardinality(existing) <> 1 then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('The file of %s version %s should leave one routine %s, found: %s.', after_routine.name,
        after_routine.version, after_routine.routine, coalesce(nullif(array_to_string(existing, ', '), ''), 'none')),
      hint = 'A file creates the one routine that it is named after; overloads are not supported.';
  end if;

  if kept is not null then
    execute format('alter routine %s owner to pgreprise_owner', existing[1]);
    for given in
      select distinct case when entry.grantee = 0 then 'public' else quote_ident(grantee.rolname) end as grantee
        from pg_proc as procedure
       cross join lateral aclexplode(coalesce(procedure.proacl, acldefault('f', procedure.proowner))) as entry
        left join pg_roles as grantee on grantee.oid = entry.grantee
       where procedure.oid = existing[1]
         and entry.grantee <> procedure.proowner
    loop
      execute format('revoke all on routine %s from %s cascade', existing[1], given.grantee);
    end loop;
    for kept_grant in
      select restored.grantee, restored.grantable
        from jsonb_to_recordset(kept -> 'grants') as restored(grantee text, grantable boolean)
    loop
      execute format('grant execute on routine %s to %s%s', existing[1],
        coalesce(quote_ident(kept_grant.grantee), 'public'),
        case when kept_grant.grantable then ' with grant option' else '' end);
    end loop;
    if obj_description(existing[1], 'pg_proc') is null then
      execute format('comment on routine %s is %L', existing[1], kept ->> 'comment');
    end if;
    perform set_config('pgreprise.kept', (all_kept - after_routine.name)::text, true);
  end if;

  insert into pgreprise.routine_version as registered (name, routine, version, checksum)
  values (after_routine.name, after_routine.routine, after_routine.version, after_routine.checksum)
  on conflict on constraint routine_version_pkey do update
    set routine = excluded.routine,
        version = excluded.version,
        checksum = excluded.checksum,
        installed_by = excluded.installed_by,
        installed_at = excluded.installed_at;
end;
$$;

comment on function pgreprise.after_routine(text, text, integer, text) is
'Migrations only: owner, grants and registry entry of a routine whose file has just run.';
