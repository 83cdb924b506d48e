-- check_database: may this role install pgreprise in this database, and is the place of everything that the pending
-- revisions create free? The setting pgreprise.objects_to_create lists that (pyapi/schema/objects.py finds it in the
-- text of the revisions). It only looks, and runs before schema pgreprise exists: each obstacle is added to
-- pgreprise.obstacles, with the statements that mend it (core/adoption/refuse_obstacles).
-- Raises 25006 on a server that cannot be written.
do $$
declare
  wanted        constant jsonb := current_setting('pgreprise.objects_to_create')::jsonb;
  is_new        constant boolean := wanted @> '{"tables": [{"name": "pgreprise.routine_version"}]}';
  has_options   constant boolean := current_setting('server_version_num')::integer >= 160000;
  -- to_regclass() raises an error where the schema may not be used.
  registry      constant oid := (
    select relation.oid
      from pg_class as relation
      join pg_namespace as namespace on namespace.oid = relation.relnamespace and namespace.nspname = 'pgreprise'
     where relation.relname = 'routine_version'
  );
  has_versions  constant boolean := exists (
    select from pg_class as relation
      join pg_namespace as namespace on namespace.oid = relation.relnamespace and namespace.nspname = 'pgreprise'
     where relation.relname = 'alembic_version'
  );
  me            pg_roles%rowtype;
  found         jsonb := '[]';
  added         jsonb;
  owner_role    pg_roles%rowtype;
  installed     text[] := '{}';
  statements    text[];
  wanted_role   text;
  attributes    text[];
  hides_rows    boolean := false;
  keeps_hiding  boolean := false;
  is_probed     boolean := false;
begin
  if current_setting('transaction_read_only')::boolean then
    raise exception using
      errcode = 'read_only_sql_transaction',
      message = case
        when pg_is_in_recovery() then 'This server is a standby, which cannot be written. Nothing was changed.'
        else 'This role or database is read-only (default_transaction_read_only). Nothing was changed.'
      end,
      hint = 'Migrate the primary, as a role that may write; a standby follows by itself.';
  end if;
  select role.* into me from pg_roles as role where role.rolname = current_user;
  select role.* into owner_role from pg_roles as role where role.rolname = 'pgreprise_owner';
  if registry is not null then
    if has_schema_privilege('pgreprise', 'usage') and has_table_privilege(registry, 'select') then
      execute 'select array_agg(registered.routine) from pgreprise.routine_version as registered' into installed;
    else
      installed := array(select listed.name from jsonb_to_recordset(wanted -> 'routines') as listed(name text));
    end if;
  end if;

  -- Roles. They belong to the cluster; another database of it may have made them.
  foreach wanted_role in array
    array['pgreprise_owner', 'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor',
      'pgreprise_worker', 'pgreprise_router']
  loop
    continue when not is_new;
    if to_regrole(wanted_role) is null then
      if not me.rolsuper and not me.rolcreaterole then
        found := found || jsonb_build_object('is_right', true,
          'problem', format('%s: the role does not exist, and role %s may not create roles', wanted_role, current_user),
          'statements', jsonb_build_array(format('create role %I nologin;', wanted_role)));
      end if;
      continue;
    end if;
    select array_remove(array[
        case when role.rolsuper then 'superuser' end,
        case when role.rolcanlogin then 'login' end,
        case when role.rolcreaterole then 'createrole' end,
        case when role.rolcreatedb then 'createdb' end,
        case when role.rolreplication then 'replication' end,
        case when role.rolbypassrls then 'bypassrls' end
      ], null)
      into attributes
      from pg_roles as role
     where role.rolname = wanted_role;
    if cardinality(attributes) > 0 then
      found := found || jsonb_build_object(
        'problem', format('%s: the role has %s. It must only hold rights; if it is a role of your own, rename it: '
          'alter role %s rename to ...', wanted_role, array_to_string(attributes, ', '), wanted_role),
        'statements', jsonb_build_array(
          format('alter role %I no%s;', wanted_role, array_to_string(attributes, ' no'))));
    end if;
  end loop;

  -- Giving objects to pgreprise_owner needs membership in it, and replacing them the rights of it.
  if not me.rolsuper and (
    case
      when owner_role.oid is null then not me.rolcreaterole
      when not has_options
        then not pg_has_role(owner_role.oid, 'usage') and not (me.rolcreaterole and me.rolinherit)
      else not (pg_has_role(owner_role.oid, 'usage') and pg_has_role(owner_role.oid, 'set'))
        and not pg_has_role(owner_role.oid, 'member with admin option')
    end
  ) then
    statements := case
      when has_options then array[format('grant pgreprise_owner to %I with inherit true, set true;', current_user)]
      when me.rolinherit then array[format('grant pgreprise_owner to %I;', current_user)]
      else array[format('alter role %I inherit;', current_user), format('grant pgreprise_owner to %I;', current_user)]
    end;
    found := found || jsonb_build_object('is_right', true, 'statements', to_jsonb(statements), 'problem',
      format('pgreprise_owner: role %s is not a member that inherits its rights and may act as it', current_user));
  end if;

  -- Schemas.
  if to_regnamespace('public') is null then
    found := found || jsonb_build_object('problem', 'Schema public does not exist; pgreprise works on its tables',
      'statements', jsonb_build_array('create schema public;',
        format('grant usage, create on schema public to %I with grant option;', current_user)));
  elsif is_new then
    if not has_schema_privilege('public', 'create') or not has_schema_privilege('public', 'usage') then
      found := found || jsonb_build_object('is_right', true,
        'problem', format('Schema public: role %s may not create in it', current_user),
        'statements', jsonb_build_array(format('grant usage, create on schema public to %I;', current_user)));
    end if;
    select array_agg(format('grant %s on schema public to %I;', needed.rights, needed.role) order by needed.position)
      into statements
      from (values
        (1, 'pgreprise_owner', 'usage, create', array['usage', 'create']),
        (2, 'pgreprise_reader', 'usage', array['usage']),
        (3, 'pgreprise_api', 'usage', array['usage']),
        (4, 'pgreprise_dba', 'usage', array['usage']),
        (5, 'pgreprise_monitor', 'usage', array['usage']),
        (6, 'pgreprise_worker', 'usage', array['usage'])
      ) as needed(position, role, rights, listed)
     where exists (
       select from unnest(needed.listed) as listed(privilege)
        where not has_schema_privilege('public', listed.privilege || ' with grant option')
          and not has_schema_privilege(coalesce(to_regrole(needed.role)::text, 'public'), 'public', listed.privilege)
     );
    if statements is not null then
      found := found || jsonb_build_object('is_right', true, 'statements', to_jsonb(statements), 'problem',
        format('Schema public: role %s may not let the roles of pgreprise use it', current_user));
    end if;
  end if;

  if to_regnamespace('pgreprise') is null then
    if not has_database_privilege(current_database(), 'create') then
      found := found || jsonb_build_object('is_right', true,
        'problem', format('Database %s: role %s may not create schema pgreprise', current_database(), current_user),
        'statements', jsonb_build_array(
          format('grant create on database %I to %I;', current_database(), current_user)));
    end if;
  elsif not has_versions and exists (
    select from pg_class as relation where relation.relnamespace = to_regnamespace('pgreprise')
    union all
    select from pg_proc as routine where routine.pronamespace = to_regnamespace('pgreprise')
    union all
    select from pg_type as type where type.typnamespace = to_regnamespace('pgreprise')
  ) then
    found := found || jsonb_build_object(
      'problem', 'Schema pgreprise exists, and what is in it is not of pgreprise',
      'statements', jsonb_build_array('alter schema pgreprise rename to host_pgreprise;'));
  else
    -- What another role has installed.
    select array_agg(distinct case
        when owner.rolsuper then format('alter %s owner to %I;', owned.object, current_user)
        when has_options then format('grant %I to %I with inherit true, set true;', owner.rolname, current_user)
        else format('grant %I to %I;', owner.rolname, current_user)
      end)
      into statements
      from (
        select 'schema pgreprise' as object, namespace.nspowner as owner
          from pg_namespace as namespace
         where namespace.nspname = 'pgreprise'
        union all
        select format('table %s', relation.oid::regclass), relation.relowner
          from pg_class as relation
         where relation.relnamespace = to_regnamespace('pgreprise') and relation.relkind = 'r'
        union all
        select format('type %s', type.oid::regtype), type.typowner
          from pg_type as type
          left join pg_class as relation on relation.oid = type.typrelid
         where type.typnamespace = to_regnamespace('pgreprise')
           and (relation.relkind = 'c' or type.typtype in ('e', 'd'))
        union all
        select format('routine %s', routine.oid::regprocedure), routine.proowner
          from pg_proc as routine
         where routine.pronamespace = to_regnamespace('pgreprise') and routine.proowner <> owner_role.oid
      ) as owned
      join pg_roles as owner on owner.oid = owned.owner
     where not pg_has_role(owner.oid, 'usage');
    if statements is not null then
      found := found || jsonb_build_object('is_right', true, 'statements', to_jsonb(statements), 'problem',
        format('Schema pgreprise: another role has installed what is in it, and role %s may not change it',
          current_user));
    end if;
  end if;

  -- Tables that an earlier revision adopted or created.
  select coalesce(jsonb_agg(jsonb_build_object('is_right', true,
      'problem', format('%s: role %s does not own the table, which pgreprise is to alter', altered.name, current_user),
      'statements', jsonb_build_array(case
        when altered.rolsuper then format('alter table %s owner to %I;', altered.name, current_user)
        else format('grant %I to %I%s;', altered.rolname, current_user,
          case when has_options then ' with inherit true, set true' else '' end)
      end)) order by altered.name), '[]')
    into added
    from (
      select listed.name, owner.rolname, owner.rolsuper
        from jsonb_to_recordset(wanted -> 'altered') as listed(name text)
        join pg_namespace as namespace on namespace.nspname = 'public'
        join pg_class as relation
          on relation.relnamespace = namespace.oid and 'public.' || relation.relname = listed.name
        join pg_roles as owner on owner.oid = relation.relowner
       where not pg_has_role(owner.oid, 'usage')
         and has_table_privilege(owner_role.oid, relation.oid, 'select')
    ) as altered;
  found := found || added;

  -- The names of what is to be created.
  select coalesce(jsonb_agg(
      jsonb_build_object('problem', taken.problem, 'statements', jsonb_build_array(taken.statement))
      order by taken.problem), '[]')
    into added
    from (
      select format('%s: a routine of this name exists and is not of pgreprise; its callers then need the new name',
          routine.oid::regprocedure) as problem,
          format('alter routine %s rename to %I;', routine.oid::regprocedure, 'host_' || routine.proname) as statement
        from jsonb_to_recordset(wanted -> 'routines') as listed(name text)
        join pg_namespace as namespace on namespace.nspname = split_part(listed.name, '.', 1)
        join pg_proc as routine
          on routine.pronamespace = namespace.oid and routine.proname = split_part(listed.name, '.', 2)
       where listed.name <> all (installed)
      union all
      -- A table of public that exists is adopted (check_tables). A type of its name would be in the way of a new one.
      select format('%s: a type of this name exists, and pgreprise creates a table or type of this name',
          type.oid::regtype),
          format('alter %s %s rename to %I;', case when relation.relkind <> 'c' then 'table' else 'type' end,
            type.oid::regtype, 'host_' || type.typname)
        from (
          select entry.name from jsonb_to_recordset(wanted -> 'tables') as entry(name text)
          union all
          select entry.name from jsonb_to_recordset(wanted -> 'types') as entry(name text)
        ) as listed
        join pg_namespace as namespace on namespace.nspname = split_part(listed.name, '.', 1)
        join pg_type as type on type.typnamespace = namespace.oid and type.typname = split_part(listed.name, '.', 2)
        left join pg_class as relation on relation.oid = type.typrelid
       where (relation.oid is null or namespace.nspname = 'pgreprise')
         and (namespace.nspname <> 'pgreprise' or has_versions)
         and not (type.typcategory = 'A' and type.typelem <> 0)
      union all
      -- A new table's key is an index of this name.
      select format('%s: exists already, and pgreprise creates an index of this name', relation.oid::regclass),
          format('alter table %s rename to %I;', relation.oid::regclass, 'host_' || relation.relname)
        from jsonb_to_recordset(wanted -> 'constraints') as listed(name text, "table" text)
        join pg_namespace as namespace on namespace.nspname = 'public'
        join pg_class as relation on relation.relnamespace = namespace.oid and relation.relname = listed.name
       where listed.table like 'public.%'
         and not exists (
           select from pg_class as host_table
            where host_table.relnamespace = namespace.oid and 'public.' || host_table.relname = listed.table
              and host_table.relkind in ('r', 'p')
         )
      union all
      -- One that is the same is kept, and one that a failed build left invalid is built again.
      select format('%s: exists already, and pgreprise builds another index of this name', relation.oid::regclass),
          format('alter table %s rename to %I;', relation.oid::regclass, 'host_' || relation.relname)
        from jsonb_to_recordset(wanted -> 'indexes') as listed(name text, "table" text, columns text[])
        join pg_namespace as namespace on namespace.nspname = split_part(listed.table, '.', 1)
        join pg_class as relation on relation.relnamespace = namespace.oid and relation.relname = listed.name
        left join pg_index as existing on existing.indexrelid = relation.oid
       where listed.table like 'public.%'
         and not coalesce(
           existing.indrelid = (
             select host_table.oid
               from pg_class as host_table
              where host_table.relnamespace = namespace.oid and 'public.' || host_table.relname = listed.table
           )
           and (not existing.indisvalid or (
             existing.indpred is null and existing.indexprs is null
             and pg_get_indexdef(relation.oid) ~ ' USING btree '
             and listed.columns = array(
               select attribute.attname::text
                 from unnest(existing.indkey::smallint[]) with ordinality as part(number, position)
                 join pg_attribute as attribute
                   on attribute.attrelid = existing.indrelid and attribute.attnum = part.number
                order by part.position
             )
           )), false)
    ) as taken;
  found := found || added;

  -- An event trigger may do something with each new table, as hosted PostgreSQL does, which turns row-level security
  -- on. Only a trial tells; it is rolled back.
  if found = '[]' and wanted -> 'tables' <> '[]'
    and exists (select from pg_event_trigger as trigger where trigger.evtenabled in ('O', 'A'))
  then
    begin
      create schema if not exists pgreprise;
      create table pgreprise.trial_of_migration (id integer);
      select relation.relrowsecurity or relation.relforcerowsecurity into hides_rows
        from pg_class as relation
       where relation.oid = 'pgreprise.trial_of_migration'::regclass;
      alter table pgreprise.trial_of_migration disable row level security, no force row level security;
      select relation.relrowsecurity or relation.relforcerowsecurity into keeps_hiding
        from pg_class as relation
       where relation.oid = 'pgreprise.trial_of_migration'::regclass;
      is_probed := true;
      raise exception 'The trial is rolled back.';
    exception
      when others then
        if not is_probed or keeps_hiding then
          found := found || jsonb_build_object(
            'problem', case
              when is_probed then 'An event trigger turns row-level security on for every table, and on again when '
                'pgreprise turns it off for its own. Turn the trigger on again after the migration'
              else format('An event trigger stops the creation of tables (%s: %s). Turn it on again after the '
                'migration', sqlstate, sqlerrm)
            end,
            'statements', (
              select jsonb_agg(format('alter event trigger %I disable;', trigger.evtname) order by trigger.evtname)
                from pg_event_trigger as trigger
               where trigger.evtenabled in ('O', 'A') and trigger.evtevent <> 'sql_drop'
            ));
        end if;
    end;
  end if;

  perform set_config('pgreprise.obstacles',
    (current_setting('pgreprise.obstacles')::jsonb || found)::text, false);
end;
$$;
