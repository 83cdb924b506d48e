-- roles: the NOLOGIN roles that everything of pgreprise belongs or is granted to.
-- Creates those that are missing. Where the migrating role may not, stops with the SQL
-- that a superuser has to run once. Roles belong to the whole cluster and are never dropped.
do $$
declare
  wanted  text;
  missing text[] := '{}';
begin
  foreach wanted in array array['pgreprise_owner', 'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba'] loop
    if not exists (select from pg_catalog.pg_roles as role where role.rolname = wanted) then
      begin
        execute format('create role %I nologin', wanted);
      exception
        -- Another database of this cluster is being migrated at the same moment.
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then missing := missing || format('create role %I nologin;', wanted);
      end;
    end if;
  end loop;

  if exists (
    select from pg_catalog.pg_roles as role
     where role.rolname = 'pgreprise_owner' and (role.rolsuper or role.rolcanlogin)
  ) then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'Role pgreprise_owner is a superuser or may log in; the routines that run with its rights must not.',
      hint = 'As a superuser: alter role pgreprise_owner nologin nosuperuser;';
  end if;

  -- Giving objects to pgreprise_owner needs membership in it.
  if cardinality(missing) = 0 and not pg_has_role(current_user, 'pgreprise_owner', 'usage') then
    begin
      execute format('grant pgreprise_owner to %I', current_user);
    exception
      when insufficient_privilege then null;
    end;
  end if;
  if cardinality(missing) > 0 or not pg_has_role(current_user, 'pgreprise_owner', 'usage') then
    missing := missing || format('grant pgreprise_owner to %I;', current_user);
  end if;

  if cardinality(missing) > 0 then
    raise exception using
      errcode = 'insufficient_privilege',
      message = format('Role %s may not prepare the roles that pgreprise needs.', current_user),
      detail = array_to_string(missing, E'\n'),
      hint = 'Let a superuser run the statements in the detail, then migrate again.';
  end if;
end;
$$;
