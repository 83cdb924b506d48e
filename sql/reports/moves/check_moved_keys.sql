-- check_moved_keys(): refuses while foreign keys of the application stand in the way of moves: keys by which rows that
-- stay would change when rows of a moved table are taken out (on delete cascade, set null or set default), and keys of
-- tables that are not moved. It names all of them; the hint has a statement for each that drops it.
-- Raises 55000.
create or replace function pgreprise.check_moved_keys()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  moved constant oid[] := array(select listed.table_name::regclass from pgreprise.shard_tables() as listed);
  found_keys record;
begin
  select string_agg(format('%I of %s refers to %s', entry.conname, entry.conrelid::regclass, entry.confrelid::regclass),
        ', ' order by entry.conrelid::regclass::text, entry.conname) as told,
      string_agg(format('alter table %s drop constraint %I;', entry.conrelid::regclass, entry.conname),
        ' ' order by entry.conrelid::regclass::text, entry.conname) as statements,
      jsonb_agg(jsonb_build_object('name', entry.conname, 'table', entry.conrelid::regclass::text,
          'refers_to', entry.confrelid::regclass::text)
        order by entry.conrelid::regclass::text, entry.conname) as listed
    into found_keys
    from pg_constraint as entry
   where entry.contype = 'f'
     -- Those of partitions are dropped with that of their table.
     and entry.conparentid = 0
     and entry.confrelid = any (own.moved)
     and (entry.confdeltype in ('c', 'n', 'd') or entry.conrelid <> all (own.moved));
  if found_keys.told is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Foreign keys to tables that are moved stand in the way: %s.', found_keys.told),
      detail = jsonb_build_object('constraints', found_keys.listed),
      hint = found_keys.statements;
  end if;
end;
$$;

comment on function pgreprise.check_moved_keys() is
'Refuses while foreign keys of the application stand in the way of moves, and names all of them.';
