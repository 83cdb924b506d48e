-- table_privileges: the rights that the routines' owner needs on the tables they work on,
-- and nothing more. Works on adopted tables that belong to someone else, if the migrating role
-- may grant on them; otherwise stops with the statements that their owner has to run.
do $$
declare
  needed       record;
  sequence_name text;
  missing      text[] := '{}';
begin
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
    begin
      execute format('grant %s on table %s to pgreprise_owner', needed.privileges, needed.table_name);
    exception
      when insufficient_privilege then null;
    end;
    if exists (
      select from unnest(string_to_array(needed.privileges, ', ')) as privilege
       where not has_table_privilege('pgreprise_owner', needed.table_name, privilege)
    ) then
      missing := missing || format('grant %s on table %s to pgreprise_owner;', needed.privileges, needed.table_name);
    end if;

    -- An identity column needs no right on its sequence, a serial column of an adopted table does.
    sequence_name := pg_get_serial_sequence(needed.table_name, needed.key_name);
    if sequence_name is not null then
      begin
        execute format('grant usage on sequence %s to pgreprise_owner', sequence_name);
      exception
        when insufficient_privilege then null;
      end;
      if not has_sequence_privilege('pgreprise_owner', sequence_name, 'usage') then
        missing := missing || format('grant usage on sequence %s to pgreprise_owner;', sequence_name);
      end if;
    end if;
  end loop;

  if cardinality(missing) > 0 then
    raise exception using
      errcode = 'insufficient_privilege',
      message = format('Role %s may not grant on the tables that pgreprise works on.', current_user),
      detail = array_to_string(missing, E'\n'),
      hint = 'Let the owner of the tables run the statements in the detail, then migrate again.';
  end if;
end;
$$;
