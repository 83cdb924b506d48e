-- lost_rows(refused_with, table_name, key_column, ids): which rows of other tables would be lost, or lose what they
-- refer to, if these rows of a table of the host were deleted (losing_keys). One row for each foreign key that has such
-- rows: how many there are (null where the owner of the routines may not see them), and what a refusal says, under the
-- errcode refused_with of the domain that asks. Rows that refer to others of their own table which go as well do not
-- count.
-- This is the only place that says what may not get lost: single and many reruns, undos, previews, audits and
-- imports of what a source has deleted ask here.
create or replace function pgreprise.lost_rows(refused_with text, table_name text, key_column text, ids text[])
returns table (child text, lost bigint, errcode text, message text, detail jsonb, hint text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
<<own>>
declare
  foreign_key record;
  key_type    text;
  found_rows  bigint;
begin
  for foreign_key in select losing.* from pgreprise.losing_keys(lost_rows.table_name) as losing loop
    found_rows := null;
    if foreign_key.is_visible then
      key_type := (
        select format_type(attribute.atttypid, attribute.atttypmod)
          from pg_attribute as attribute
         where attribute.attrelid = foreign_key.parent and attribute.attname = lost_rows.key_column
      );
      execute format(
        'select count(*) from %1$s as child join %2$s as parent on %3$s where parent.%4$I = any ($1::%5$s[])%6$s',
        foreign_key.child, foreign_key.parent, foreign_key.condition, lost_rows.key_column, key_type,
        case when foreign_key.child = foreign_key.parent
          then format(' and child.%I <> all ($1::%s[])', lost_rows.key_column, key_type) else '' end
      ) into found_rows using lost_rows.ids;
    end if;
    continue when found_rows = 0;

    return query
      select own.foreign_key.child::text, own.found_rows, lost_rows.refused_with,
          format(case when own.foreign_key.is_visible
            then 'Rows of %s refer to rows of %s that would be deleted, with "on delete %s" (constraint %I). They '
              'would be lost. Nothing was changed.'
            else 'Rows of %s may refer to rows of %s that would be deleted, with "on delete %s" (constraint %I). They '
              'might be lost, and cannot be seen. Nothing was changed.' end,
            own.foreign_key.child, own.foreign_key.parent, own.foreign_key.action, own.foreign_key.name),
          jsonb_build_object('table', own.foreign_key.child::text, 'constraint', own.foreign_key.name,
            'on_delete', own.foreign_key.action, 'deleted_from', own.foreign_key.parent::text),
          case when own.foreign_key.is_visible
            then format('Delete the rows of %s first, or make the constraint one without an action.',
              own.foreign_key.child)
            else format('Let its owner run: %sgrant select on %s to pgreprise_owner;', (
                select case when not has_schema_privilege(relation.relnamespace, 'usage')
                    then format('grant usage on schema %s to pgreprise_owner; ', relation.relnamespace::regnamespace)
                  end
                  from pg_class as relation
                 where relation.oid = own.foreign_key.child
              ), own.foreign_key.child) end;
  end loop;
end;
$$;

comment on function pgreprise.lost_rows(text, text, text, text[]) is
'Which rows of other tables would be lost if these rows of a table of the host were deleted.';
