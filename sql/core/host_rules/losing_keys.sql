-- losing_keys(table_name): the foreign keys of other tables by which rows are lost, or lose what they refer to, when
-- rows of a table of the host are deleted: those with on delete cascade, set null or set default. Keys without an
-- action need no look, PostgreSQL refuses. condition joins a row "child" to its row "parent"; is_visible tells whether
-- the owner of the routines may see all rows of the child.
-- The triggers of a table are found by an index, its foreign keys are not.
create or replace function pgreprise.losing_keys(table_name text)
returns table (name name, child regclass, parent regclass, action text, is_visible boolean, condition text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select entry.conname, entry.conrelid::regclass, entry.confrelid::regclass,
        case entry.confdeltype when 'c' then 'cascade' when 'n' then 'set null' else 'set default' end,
        has_schema_privilege(relation.relnamespace, 'usage') and has_table_privilege(entry.conrelid, 'select')
          and not row_security_active(entry.conrelid),
        string_agg(format('child.%I = parent.%I', child_column.attname, parent_column.attname), ' and ')
      from pg_constraint as entry
      join pg_class as relation on relation.oid = entry.conrelid
     cross join lateral unnest(entry.conkey, entry.confkey) as pair(child_number, parent_number)
      join pg_attribute as child_column
        on child_column.attrelid = entry.conrelid and child_column.attnum = pair.child_number
      join pg_attribute as parent_column
        on parent_column.attrelid = entry.confrelid and parent_column.attnum = pair.parent_number
     where entry.oid in (
         select guard.tgconstraint
           from pg_trigger as guard
          where guard.tgrelid = format('public.%I', losing_keys.table_name)::regclass and guard.tgconstraint <> 0
       )
       and entry.contype = 'f' and entry.confdeltype in ('c', 'n', 'd') and entry.conparentid = 0
       and entry.confrelid = format('public.%I', losing_keys.table_name)::regclass
     group by entry.oid, entry.conname, entry.conrelid, entry.confrelid, entry.confdeltype, relation.relnamespace
     order by entry.conname;
end;
$$;

comment on function pgreprise.losing_keys(text) is
'The foreign keys by which rows of other tables are lost with rows of this table.';
