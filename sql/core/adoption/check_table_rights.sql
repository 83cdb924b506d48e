-- check_table_rights: may the migrating role do with the tables that this database already has what has to be done?
-- The setting pgreprise.wanted_tables says which tables; the domain's file wanted_tables sets it. It only looks: what
-- is missing is added to pgreprise.obstacles, with the statements that give it (core/adoption/refuse_obstacles).
do $$
declare
  wanted       constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
  with_options constant text := case
    when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set true'
    else ''
  end;
  found        jsonb;
begin
  with relations as (
    select listed.name, coalesce(listed.inserted, true) as inserted, format('public.%I', listed.name) as full_name,
        relation.oid, owner.rolname as owner_name, owner.rolsuper as owner_is_superuser,
        pg_has_role(current_user, owner.oid, 'usage') as is_ours
      from jsonb_to_recordset(wanted -> 'tables') as listed(name text, inserted boolean)
      join pg_class as relation on relation.relname = listed.name and relation.relkind = 'r'
      join pg_namespace as namespace on namespace.oid = relation.relnamespace and namespace.nspname = 'public'
      join pg_roles as owner on owner.oid = relation.relowner
  ),

  problems as (
    -- Only a table's owner may index or alter it and grant on it.
    select relations.name, 10 as position,
        format('%s: role %s does not own the table, which pgreprise is to index and grant on', relations.full_name,
          current_user) as problem,
        -- Nobody should become a member of a superuser.
        case
          when relations.owner_is_superuser
            then array[format('alter table %s owner to %I;', relations.full_name, current_user)]
          when with_options = ''
            and not (select role.rolinherit from pg_roles as role where role.rolname = current_user)
            then array[format('alter role %I inherit;', current_user),
              format('grant %I to %I;', relations.owner_name, current_user)]
          else array[format('grant %I to %I%s;', relations.owner_name, current_user, with_options)]
        end as statements
      from relations
     where not relations.is_ours
    union all
    -- A new row takes the default of a column that pgreprise does not know.
    select relations.name, 11, format('%s: the default of column %s uses %s, and role %s may not let pgreprise use it',
        relations.full_name, attribute.attname, relation.oid::regclass, current_user),
        array[format('grant usage on sequence %s to %I with grant option;', relation.oid::regclass, current_user)]
      from relations
      join pg_attrdef as given on given.adrelid = relations.oid
      join pg_attribute as attribute on attribute.attrelid = relations.oid and attribute.attnum = given.adnum
      join pg_depend as used
        on used.classid = 'pg_attrdef'::regclass and used.objid = given.oid and used.refclassid = 'pg_class'::regclass
      join pg_class as relation on relation.oid = used.refobjid
     where relations.inserted and relations.is_ours
       and case relation.relkind
         when 'S' then not has_sequence_privilege(relation.oid, 'usage with grant option')
         else false
       end
    union all
    select relations.name, 11,
        format('%s: the default of column %s calls %s, and role %s may not let pgreprise call it', relations.full_name,
          attribute.attname, used.refobjid::regprocedure, current_user),
        array[format('grant execute on routine %s to %I with grant option;', used.refobjid::regprocedure,
          current_user)]
      from relations
      join pg_attrdef as given on given.adrelid = relations.oid
      join pg_attribute as attribute on attribute.attrelid = relations.oid and attribute.attnum = given.adnum
      join pg_depend as used
        on used.classid = 'pg_attrdef'::regclass and used.objid = given.oid and used.refclassid = 'pg_proc'::regclass
     where relations.inserted and relations.is_ours
       and not has_function_privilege('public', used.refobjid, 'execute')
       and not has_function_privilege(used.refobjid, 'execute with grant option')
    union all
    -- Archived rows are put back with all their columns, whose types are then named with their schemas.
    select relations.name, 11, format('%s: column %s has a type of schema %s, and role %s may not let pgreprise use it',
        relations.full_name, attribute.attname, namespace.nspname, current_user),
        array[format('grant usage on schema %I to %I with grant option;', namespace.nspname, current_user)]
      from relations
      join pg_attribute as attribute
        on attribute.attrelid = relations.oid and attribute.attnum > 0 and not attribute.attisdropped
      join pg_type as type on type.oid = attribute.atttypid
      join pg_namespace as namespace on namespace.oid = type.typnamespace
     where not relations.inserted and relations.is_ours
       and not has_schema_privilege('public', namespace.oid, 'usage')
       and not has_schema_privilege(namespace.oid, 'usage with grant option')
  )

  select jsonb_agg(
      jsonb_build_object('problem', problems.problem, 'statements', problems.statements, 'is_right', true)
      order by problems.name, problems.position, problems.problem
    )
    into found
    from (
      -- A default may use one object twice.
      select distinct on (problems.name, problems.position, problems.problem) problems.* from problems
    ) as problems;

  perform set_config('pgreprise.obstacles',
    (current_setting('pgreprise.obstacles')::jsonb || coalesce(found, '[]'))::text, false);
end;
$$;
