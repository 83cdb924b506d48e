-- refuse_lost_rows(table_name, ids): refuses to delete rows of a carbon table while rows of another table, which is not
-- of this domain, would go with them or lose what they refer to: foreign keys with on delete cascade, set null or set
-- default. The calculator itself has one such key, from emissions to their entry; emissions are deleted before. Keys
-- without an action need no look, PostgreSQL refuses. The calling routine has locked the rows, so none can be added.
-- Where the owner of the routines may not see whether there are such rows, it is refused too.
-- Raises RC018.
create or replace function pgreprise.refuse_lost_rows(table_name text, ids bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  foreign_key record;
  loses       boolean;
begin
  for foreign_key in
    select entry.conname as name, entry.conrelid::regclass as child, entry.confrelid::regclass as parent,
        case entry.confdeltype when 'c' then 'cascade' when 'n' then 'set null' else 'set default' end as action,
        has_table_privilege(entry.conrelid, 'select') and not row_security_active(entry.conrelid) as is_visible,
        string_agg(format('child.%I = parent.%I', child_column.attname, parent_column.attname), ' and ') as condition
      from pg_constraint as entry
     cross join lateral unnest(entry.conkey, entry.confkey) as pair(child_number, parent_number)
      join pg_attribute as child_column
        on child_column.attrelid = entry.conrelid and child_column.attnum = pair.child_number
      join pg_attribute as parent_column
        on parent_column.attrelid = entry.confrelid and parent_column.attnum = pair.parent_number
     where entry.contype = 'f' and entry.confdeltype in ('c', 'n', 'd') and entry.conparentid = 0
       and entry.confrelid = format('public.%I', refuse_lost_rows.table_name)::regclass
     group by entry.oid, entry.conname, entry.conrelid, entry.confrelid, entry.confdeltype
     order by entry.conname
  loop
    if foreign_key.is_visible then
      execute format(
        'select exists (select from %1$s as child join %2$s as parent on %3$s where parent.id = any ($1)%4$s)',
        foreign_key.child, foreign_key.parent, foreign_key.condition,
        case when foreign_key.child = foreign_key.parent then ' and child.id <> all ($1)' else '' end
      ) into loses using refuse_lost_rows.ids;
    end if;

    if loses or not foreign_key.is_visible then
      raise exception using
        errcode = 'RC018',
        message = format(case when foreign_key.is_visible
          then 'Rows of %s refer to rows of %s that would be deleted, with "on delete %s" (constraint %I). They would '
            'be lost. Nothing was changed.'
          else 'Rows of %s may refer to rows of %s that would be deleted, with "on delete %s" (constraint %I). They '
            'might be lost, and cannot be seen. Nothing was changed.' end,
          foreign_key.child, foreign_key.parent, foreign_key.action, foreign_key.name),
        detail = jsonb_build_object('table', foreign_key.child::text, 'constraint', foreign_key.name,
          'on_delete', foreign_key.action, 'deleted_from', foreign_key.parent::text),
        hint = case when foreign_key.is_visible
          then format('Delete the rows of %s first, or make the constraint one without an action.', foreign_key.child)
          else format('Let its owner run: grant select on %s to pgreprise_owner;', foreign_key.child) end;
    end if;
  end loop;
end;
$$;

comment on function pgreprise.refuse_lost_rows(text, bigint[]) is
'Refuses to delete rows while rows of other tables would be lost with them (RC018).';
