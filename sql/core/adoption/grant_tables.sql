-- grant_tables: the rights that the routines' owner needs on the tables of a domain, and nothing more; the
-- setting pgreprise.wanted_tables lists them. Only a table's owner may index or alter it and grant on it, so the
-- migrating role must be a member of the owner of an adopted table.
-- Raises 42501 with the statements that make it one in the detail.
do $$
declare
  wanted        constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
  needed        record;
  sequence_name text;
  missing       text[];
begin
  missing := array(
    select distinct case
        -- Nobody should become a member of a superuser.
        when owner.rolsuper then format('alter table %s owner to %I;', relation.oid::regclass, current_user)
        else format('grant %I to %I;', owner.rolname, current_user)
      end as statement
      from jsonb_to_recordset(wanted -> 'tables') as listed(name text)
      join pg_class as relation on relation.oid = to_regclass('public.' || listed.name)
      join pg_roles as owner on owner.oid = relation.relowner
     where not pg_has_role(current_user, relation.relowner, 'usage')
     order by statement
  );
  if cardinality(missing) > 0 then
    raise exception using
      errcode = 'insufficient_privilege',
      message = format('Role %s does not own the tables that pgreprise is to index and grant on.', current_user),
      detail = array_to_string(missing, E'\n'),
      hint = 'Let a superuser run the statements in the detail, or migrate as the owner of the tables.';
  end if;

  for needed in
    select listed.name, listed.key, listed.privileges
      from jsonb_to_recordset(wanted -> 'tables') as listed(name text, key text, privileges text)
     where to_regclass('public.' || listed.name) is not null
  loop
    execute format('grant %s on table public.%I to pgreprise_owner', needed.privileges, needed.name);
    -- An identity column needs no right on its sequence, a serial column of an adopted table does.
    sequence_name := pg_get_serial_sequence('public.' || needed.name, needed.key);
    if sequence_name is not null then
      execute format('grant usage on sequence %s to pgreprise_owner', sequence_name);
    end if;
  end loop;
end;
$$;
