-- drop_created_tables: the downgrade of the tables in public.
-- Tables that the upgrade found stay, with all rows; so does a created table that holds rows, unless
-- the session said so in so many words: set pgreprise.drop_tables_with_rows = 'yes'.
-- What stays loses only the rights of pgreprise_owner, and a later upgrade adopts it again.
do $$
declare
  wanted        record;
  sequence_name text;
  holds_rows    boolean;
begin
  for wanted in
    select listed.table_name, listed.key_name, created.table_name is not null as is_ours
      from (
        values ('report_outputs', 'id'), ('simulations', 'id'), ('reform_impact', 'reform_impact_id')
      ) as listed(table_name, key_name)
      left join pgreprise.created_table as created on created.table_name = listed.table_name
     where to_regclass('public.' || listed.table_name) is not null
  loop
    -- No row may arrive between the look and the drop.
    execute format('lock table public.%I in access exclusive mode', wanted.table_name);
    execute format('select exists (select from public.%I)', wanted.table_name) into holds_rows;

    if wanted.is_ours
      and (not holds_rows or current_setting('pgreprise.drop_tables_with_rows', true) is not distinct from 'yes')
    then
      execute format('drop table public.%I', wanted.table_name);
    else
      if wanted.is_ours then
        raise notice 'Table public.% holds rows and stays. To drop it: set pgreprise.drop_tables_with_rows = ''yes''.',
          wanted.table_name;
      end if;
      execute format('revoke all on table public.%I from pgreprise_owner', wanted.table_name);
      sequence_name := pg_get_serial_sequence(format('public.%I', wanted.table_name), wanted.key_name);
      if sequence_name is not null then
        execute format('revoke all on sequence %s from pgreprise_owner', sequence_name);
      end if;
    end if;
  end loop;
end;
$$;
