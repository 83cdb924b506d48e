-- table_privileges: the rights that the routines' owner needs on the tables they work on, and nothing more.
-- Only a table's owner may index or alter it and grant on it, so the migrating role must be a member
-- of the owner of an adopted table; otherwise this stops with the statements that make it one.
do $$
declare
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
      from pg_class as relation
      join pg_roles as owner on owner.oid = relation.relowner
     where relation.oid in (
       to_regclass('public.report_outputs'), to_regclass('public.simulations'), to_regclass('public.reform_impact')
     )
       and not pg_has_role(current_user, relation.relowner, 'usage')
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
    select wanted.table_name, wanted.key_name, wanted.privileges
      from (
        values
          ('public.report_outputs', 'id', 'select, insert, update'),
          ('public.simulations', 'id', 'select, insert, update'),
          -- select ... for update needs the right to update.
          ('public.reform_impact', 'reform_impact_id', 'select, update, delete')
      ) as wanted(table_name, key_name, privileges)
  loop
    execute format('grant %s on table %s to pgreprise_owner', needed.privileges, needed.table_name);
    -- An identity column needs no right on its sequence, a serial column of an adopted table does.
    sequence_name := pg_get_serial_sequence(needed.table_name, needed.key_name);
    if sequence_name is not null then
      execute format('grant usage on sequence %s to pgreprise_owner', sequence_name);
    end if;
  end loop;
end;
$$;
