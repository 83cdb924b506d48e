-- grant_tables: the rights that the routines' owner needs on the tables of a domain, and nothing more; the
-- setting pgreprise.wanted_tables lists them. Only a table's owner may grant on it, so the migrating role must be a
-- member of the owner of an adopted table (core/adoption/check_tables has checked that it is).
do $$
declare
  wanted        constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
  needed        record;
  statement     text;
  sequence_name text;
begin
  for needed in
    select listed.name, listed.key, listed.privileges, coalesce(listed.inserted, true) as inserted,
        to_regclass('public.' || listed.name) as id
      from jsonb_to_recordset(wanted -> 'tables') as listed(name text, key text, privileges text, inserted boolean)
     where to_regclass('public.' || listed.name) is not null
  loop
    execute format('grant %s on table public.%I to pgreprise_owner', needed.privileges, needed.name);
    -- An identity column needs no right on its sequence, a serial column of an adopted table does.
    sequence_name := pg_get_serial_sequence('public.' || needed.name, needed.key);
    if sequence_name is not null then
      execute format('grant usage on sequence %s to pgreprise_owner', sequence_name);
    end if;

    -- A new row takes the default of a column that pgreprise does not know, and an archived row that is put back has
    -- columns of the host's types.
    for statement in
      select case relation.relkind
          when 'S' then format('grant usage on sequence %s to pgreprise_owner', relation.oid::regclass)
          else format('grant execute on routine %s to pgreprise_owner', used.refobjid::regprocedure)
        end
        from pg_attrdef as given
        join pg_depend as used on used.classid = 'pg_attrdef'::regclass and used.objid = given.oid
        left join pg_class as relation on used.refclassid = 'pg_class'::regclass and relation.oid = used.refobjid
       where given.adrelid = needed.id and needed.inserted
         and case used.refclassid
           when 'pg_class'::regclass
             then relation.relkind = 'S' and not has_sequence_privilege('pgreprise_owner', relation.oid, 'usage')
           when 'pg_proc'::regclass then not has_function_privilege('pgreprise_owner', used.refobjid, 'execute')
           else false
         end
      union
      select format('grant usage on schema %I to pgreprise_owner', namespace.nspname)
        from pg_attribute as attribute
        join pg_type as type on type.oid = attribute.atttypid
        join pg_namespace as namespace on namespace.oid = type.typnamespace
       where attribute.attrelid = needed.id and attribute.attnum > 0 and not attribute.attisdropped
         and not needed.inserted and not has_schema_privilege('pgreprise_owner', namespace.oid, 'usage')
    loop
      execute statement;
    end loop;
  end loop;
end;
$$;
