-- locked_rows(table_name, ids, are_deleted, key_column): those of these rows that another transaction holds, by id,
-- each with the number of the transaction that does, or of a list of several (xmax). The others are locked now, for
-- update where they are to be deleted, else for no key update. It waits for no row.
create or replace function pgreprise.locked_rows(
  table_name text, ids bigint[], are_deleted boolean default false, key_column text default 'id'
)
returns table (row_id bigint, held_by text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return query execute format(
    'with free as (select %2$I as id from public.%1$I where %2$I = any ($1) order by %2$I for %3$s skip locked) '
    'select wanted.%2$I::bigint, wanted.xmax::text from public.%1$I as wanted where wanted.%2$I = any ($1) '
    'and wanted.%2$I not in (select free.id from free) order by wanted.%2$I',
    locked_rows.table_name, locked_rows.key_column,
    case when locked_rows.are_deleted then 'update' else 'no key update' end
  ) using locked_rows.ids;
end;
$$;

comment on function pgreprise.locked_rows(text, bigint[], boolean, text) is
'Locks those of these rows that are free, and returns the others.';
