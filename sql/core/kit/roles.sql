-- roles: the NOLOGIN roles that everything of pgreprise belongs or is granted to.
-- Creates those that are missing. core/adoption/check_database has checked that the migrating role may.
-- Roles belong to the whole cluster and are never dropped.
do $$
declare
  has_options constant boolean := current_setting('server_version_num')::integer >= 160000;
  wanted      text;
begin
  foreach wanted in array
    array['pgreprise_owner', 'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor',
      'pgreprise_worker', 'pgreprise_router']
  loop
    if not exists (select from pg_catalog.pg_roles as role where role.rolname = wanted) then
      begin
        execute format('create role %I nologin', wanted);
      exception
        -- Another database of this cluster is being migrated at the same moment.
        when duplicate_object or unique_violation then null;
      end;
    end if;
  end loop;

  -- Giving objects to pgreprise_owner needs membership in it, and replacing them the rights of it. From PostgreSQL 16
  -- on a membership may have neither, as that of a role that created pgreprise_owner.
  if not (case
      when has_options then pg_has_role('pgreprise_owner', 'usage') and pg_has_role('pgreprise_owner', 'set')
      else pg_has_role('pgreprise_owner', 'usage')
    end)
  then
    execute format('grant pgreprise_owner to %I%s', current_user,
      case when has_options then ' with inherit true, set true' else '' end);
  end if;
end;
$$;
