-- drop_created: the downgrade of the tables, types and columns of a domain in public; the setting
-- pgreprise.wanted_tables lists them, and pgreprise.created_object tells which of them the upgrade created.
-- Tables that the upgrade found are kept, with all rows. A created table that holds rows is kept too, unless
-- the session asked for the drop: set pgreprise.drop_tables_with_rows = 'yes'.
-- A table that is kept loses only the rights of pgreprise_owner, and a later upgrade adopts it again.
do $$
declare
  wanted        constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
  created       text[] := array(
    select entry.name from pgreprise.created_object as entry where entry.domain = wanted ->> 'domain'
  );
  listed        record;
  statement     text;
  added_column  text;
  sequence_name text;
  holds_rows    boolean;
begin
  -- A table stands after those that it refers to.
  for listed in
    select entry.definition ->> 'name' as name, entry.definition ->> 'key' as key,
        entry.definition -> 'columns' as columns
      from jsonb_array_elements(wanted -> 'tables') with ordinality as entry(definition, position)
     where to_regclass('public.' || (entry.definition ->> 'name')) is not null
     order by entry.position desc
  loop
    -- So that no row is inserted between the look and the drop.
    execute format('lock table public.%I in access exclusive mode', listed.name);
    execute format('select exists (select from public.%I)', listed.name) into holds_rows;

    if listed.name = any (created)
      and (not holds_rows or current_setting('pgreprise.drop_tables_with_rows', true) is not distinct from 'yes')
    then
      execute format('drop table public.%I', listed.name);
      continue;
    end if;

    if listed.name = any (created) then
      raise notice 'Table public.% holds rows and is kept. To drop it: set pgreprise.drop_tables_with_rows = ''yes''.',
        listed.name;
    end if;
    for added_column in
      select wanted_column.name
        from jsonb_to_recordset(listed.columns) as wanted_column(name text)
       where listed.name || '.' || wanted_column.name = any (created)
    loop
      execute format('alter table public.%I drop column if exists %I', listed.name, added_column);
    end loop;
    execute format('revoke all on table public.%I from pgreprise_owner', listed.name);
    sequence_name := pg_get_serial_sequence('public.' || listed.name, listed.key);
    if sequence_name is not null then
      execute format('revoke all on sequence %s from pgreprise_owner', sequence_name);
    end if;
    for statement in
      select case relation.relkind
          when 'S' then format('revoke usage on sequence %s from pgreprise_owner', relation.oid::regclass)
          else format('revoke execute on routine %s from pgreprise_owner', used.refobjid::regprocedure)
        end
        from pg_attrdef as given
        join pg_depend as used on used.classid = 'pg_attrdef'::regclass and used.objid = given.oid
        left join pg_class as relation
          on used.refclassid = 'pg_class'::regclass and relation.oid = used.refobjid and relation.relkind = 'S'
        left join pg_proc as routine on used.refclassid = 'pg_proc'::regclass and routine.oid = used.refobjid
       where given.adrelid = to_regclass('public.' || listed.name)
         and 'pgreprise_owner'::regrole in (
           select privilege.grantee from aclexplode(coalesce(relation.relacl, routine.proacl)) as privilege
            where pg_has_role(privilege.grantor, 'usage')
         )
      union
      select format('revoke usage on schema %I from pgreprise_owner', namespace.nspname)
        from pg_attribute as attribute
        join pg_type as type on type.oid = attribute.atttypid
        join pg_namespace as namespace on namespace.oid = type.typnamespace
       where attribute.attrelid = to_regclass('public.' || listed.name) and attribute.attnum > 0
         and not attribute.attisdropped and namespace.nspname not in ('public', 'pgreprise', 'pg_catalog')
         and 'pgreprise_owner'::regrole in (
           select privilege.grantee from aclexplode(namespace.nspacl) as privilege
            where pg_has_role(privilege.grantor, 'usage')
         )
    loop
      execute statement;
    end loop;
  end loop;

  for listed in
    select entry.name
      from jsonb_object_keys(coalesce(wanted -> 'enums', '{}')) as entry(name)
     where entry.name = any (created)
       and not exists (
         select from pg_attribute as attribute
          where attribute.atttypid = to_regtype('public.' || entry.name) and not attribute.attisdropped
       )
  loop
    execute format('drop type if exists public.%I', listed.name);
  end loop;

  delete from pgreprise.created_object as entry
   where entry.domain = wanted ->> 'domain'
     and (split_part(entry.name, '.', 1) in (
         select found.name from jsonb_to_recordset(wanted -> 'tables') as found(name text)
       )
       or coalesce(wanted -> 'enums', '{}') ? entry.name);
end;
$$;
