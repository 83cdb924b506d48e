-- moved_columns(table_name): the columns of a table that a move copies, by name: all that are not generated.
create or replace function pgreprise.moved_columns(table_name text)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
  select array_agg(attribute.attname::text order by attribute.attname) as columns
    from pg_attribute as attribute
   where attribute.attrelid = moved_columns.table_name::regclass
     and attribute.attnum > 0 and not attribute.attisdropped and attribute.attgenerated = '';
end;

comment on function pgreprise.moved_columns(text) is 'The columns of a table that a move copies.';
