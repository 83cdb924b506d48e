-- check_downgrade: would a downgrade be refused on its way? The setting pgreprise.objects_to_drop lists what the
-- pending revisions drop (pyapi/schema/objects.py finds it in their text). Objects of the host that use any of it,
-- and what the migrating role does not own, are added to pgreprise.obstacles (core/adoption/refuse_obstacles), so that
-- a downgrade that would stop half-way stops before it drops anything.
do $$
declare
  wanted    constant jsonb := current_setting('pgreprise.objects_to_drop')::jsonb;
  -- A table that pgreprise created goes when it is empty, or when the session asked for it.
  goes      text[] := '{}';
  name      text;
  is_empty  boolean;
  found     jsonb;
begin
  if to_regclass('pgreprise.created_object') is not null and wanted -> 'domains' <> '[]' then
    for name in
      select entry.name
        from pgreprise.created_object as entry
       where wanted -> 'domains' ? entry.domain
         and exists (
           select from pg_class as relation
            where relation.oid = to_regclass('public.' || entry.name) and relation.relkind = 'r'
              and has_table_privilege(relation.oid, 'select')
         )
    loop
      execute format('select not exists (select from public.%I)', name) into is_empty;
      if is_empty or current_setting('pgreprise.drop_tables_with_rows', true) is not distinct from 'yes' then
        goes := goes || ('public.' || name);
      end if;
    end loop;
  end if;

  with relations as (
    select to_regclass(listed.name)::oid as id
      from jsonb_array_elements_text(wanted -> 'relations') as listed(name)
    union
    select to_regclass(listed.name)::oid
      from unnest(goes) as listed(name)
  ),

  targets as (
    select 'pg_class'::regclass as class, relations.id, 0 as part, relations.id::regclass::text as shown
      from relations
    union all
    select 'pg_type'::regclass, type.oid, 0, type.oid::regtype::text
      from pg_type as type
     where type.typrelid in (select relations.id from relations)
        or type.oid in (
          select to_regtype(listed.name) from jsonb_array_elements_text(wanted -> 'relations') as listed(name)
        )
    union all
    select 'pg_proc'::regclass, routine.oid, 0, routine.oid::regprocedure::text
      from jsonb_array_elements_text(wanted -> 'routines') as listed(name)
      join pg_namespace as namespace on namespace.nspname = split_part(listed.name, '.', 1)
      join pg_proc as routine
        on routine.pronamespace = namespace.oid and routine.proname = split_part(listed.name, '.', 2)
    union all
    select 'pg_class'::regclass, attribute.attrelid, attribute.attnum,
        format('column %s of %s', attribute.attname, attribute.attrelid::regclass)
      from jsonb_array_elements_text(wanted -> 'columns') as listed(name)
      join pg_attribute as attribute
        on attribute.attrelid = to_regclass(split_part(listed.name, '.', 1) || '.' || split_part(listed.name, '.', 2))
       and attribute.attname = split_part(listed.name, '.', 3) and not attribute.attisdropped
  ),

  -- Whose the dependent is: a rule is a view's; a default, constraint, trigger or policy a table's.
  users as (
    select targets.shown, entry.classid, entry.objid, entry.objsubid, rule.ev_class, given.adrelid, given.adnum,
        reference.conrelid, reference.conname, trigger.tgrelid, trigger.tgname, policy.polrelid, policy.polname,
        coalesce(rule.ev_class, given.adrelid, reference.conrelid, trigger.tgrelid, policy.polrelid,
          case when entry.classid = 'pg_class'::regclass then entry.objid end) as relation_id
      from targets
      join pg_depend as entry
        on entry.refclassid = targets.class and entry.refobjid = targets.id and entry.deptype = 'n'
       and (targets.part = 0 or entry.refobjsubid = targets.part)
      left join pg_rewrite as rule on entry.classid = 'pg_rewrite'::regclass and rule.oid = entry.objid
      left join pg_attrdef as given on entry.classid = 'pg_attrdef'::regclass and given.oid = entry.objid
      left join pg_constraint as reference
        on entry.classid = 'pg_constraint'::regclass and reference.oid = entry.objid
      left join pg_trigger as trigger on entry.classid = 'pg_trigger'::regclass and trigger.oid = entry.objid
      left join pg_policy as policy on entry.classid = 'pg_policy'::regclass and policy.oid = entry.objid
  ),

  problems as (
    select distinct format('%s uses %s, which the downgrade drops',
        case
          when users.ev_class is null then pg_describe_object(users.classid, users.objid, users.objsubid)
          else pg_describe_object('pg_class'::regclass, users.ev_class, 0)
        end,
        users.shown) as problem,
        case
          when relation.relkind = 'v' then format('drop view %s;', relation.oid::regclass)
          when relation.relkind = 'm' then format('drop materialized view %s;', relation.oid::regclass)
          when routine.oid is not null then format('drop routine %s;', routine.oid::regprocedure)
          when users.conname is not null
            then format('alter table %s drop constraint %I;', users.conrelid::regclass, users.conname)
          when users.tgname is not null
            then format('drop trigger %I on %s;', users.tgname, users.tgrelid::regclass)
          when users.polname is not null
            then format('drop policy %I on %s;', users.polname, users.polrelid::regclass)
          when attribute.attname is not null then format('alter table %s %s;', users.relation_id::regclass,
            format(case when users.adnum is null then 'drop column %I' else 'alter column %I drop default' end,
              attribute.attname))
          when type.oid is not null then format('drop type %s;', type.oid::regtype)
        end as statement,
        false as is_right
      from users
      left join pg_class as relation on relation.oid = users.relation_id
      left join pg_proc as routine on users.classid = 'pg_proc'::regclass and routine.oid = users.objid
      left join pg_type as type on users.classid = 'pg_type'::regclass and type.oid = users.objid
      left join pg_attribute as attribute
        on attribute.attrelid = users.relation_id
       and attribute.attnum = coalesce(users.adnum, nullif(users.objsubid, 0))
     where coalesce(relation.relnamespace, routine.pronamespace, type.typnamespace)
         is distinct from to_regnamespace('pgreprise')
       and not exists (select from relations where relations.id = users.relation_id)
       -- A trigger of ours: reports/return_numbering drops it.
       and (users.tgname is null or users.tgname !~ '^pgreprise_(assign_id|refuse_moved)$')
       and not exists (
         select from targets
          where targets.class = users.classid and targets.id = users.objid
            and targets.part in (0, users.objsubid)
       )
       -- A routine of pgreprise that stays uses nothing that goes.
       and not exists (
         select from pgreprise.routine_version as registered
          where registered.routine = routine.pronamespace::regnamespace::text || '.' || routine.proname
       )
    union all
    select distinct format('Role %s does not own %s, which the downgrade drops', current_user, targets.shown),
        case
          when owner.rolsuper then format('alter %s %s owner to %I;',
            case targets.class when 'pg_proc'::regclass then 'routine' when 'pg_type'::regclass then 'type'
              else 'table' end,
            case targets.part when 0 then targets.shown else targets.id::regclass::text end, current_user)
          when current_setting('server_version_num')::integer >= 160000
            then format('grant %I to %I with inherit true, set true;', owner.rolname, current_user)
          else format('grant %I to %I;', owner.rolname, current_user)
        end, true
      from targets
      left join pg_class as relation on targets.class = 'pg_class'::regclass and relation.oid = targets.id
      left join pg_proc as routine on targets.class = 'pg_proc'::regclass and routine.oid = targets.id
      join pg_roles as owner on owner.oid = coalesce(relation.relowner, routine.proowner)
     where not pg_has_role(owner.oid, 'usage')
  )

  select jsonb_agg(
      jsonb_build_object('problem', problems.problem, 'is_right', problems.is_right, 'statements',
        case when problems.statement is null then '[]'::jsonb else jsonb_build_array(problems.statement) end)
      order by problems.is_right desc, problems.problem
    )
    into found
    from problems;

  perform set_config('pgreprise.obstacles',
    (current_setting('pgreprise.obstacles')::jsonb || coalesce(found, '[]'))::text, false);
end;
$$;
