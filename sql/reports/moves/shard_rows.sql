-- shard_rows(table_name, logical_shard, wanted): the text of a query for the rows of a table that belong to a logical
-- shard, as shard_tables() says. wanted is its select list, about a row "moved".
-- Ids that a shard has given tell it by themselves. Those of before are found by their ranges, where an index begins
-- with the id; elsewhere each row is asked.
create or replace function pgreprise.shard_rows(table_name text, logical_shard integer, wanted text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  first_id constant bigint := (select numbering.first_id from pgreprise.shard_numbering as numbering);
  listed   record;
begin
  select known.table_name, known.kind, known.id_column, known.shard_expression, exists (
        select from pg_index as id_index
          join pg_attribute as attribute
            on attribute.attrelid = id_index.indrelid and attribute.attname = known.id_column
         where id_index.indrelid = known.table_name::regclass and id_index.indpred is null
           and attribute.attnum = id_index.indkey[case when known.kind is null then 1 else 0 end]
      ) as has_index
    into strict listed
    from pgreprise.shard_tables() as known
   where known.table_name = shard_rows.table_name;
  if not listed.has_index then
    return format('select %s from %s as moved where %s = %s', shard_rows.wanted, listed.table_name,
      listed.shard_expression, shard_rows.logical_shard);
  end if;
  return format(
    'select %1$s from %2$s as moved where moved.%3$I >= %4$s and moved.%3$I & 63 = %5$s '
    'union all select %1$s from pgreprise.shard_id_range as range '
    'join %2$s as moved on moved.%3$I between range.first_id and range.last_id%7$s '
    'where range.kind = %6$s and range.logical_shard = %5$s',
    shard_rows.wanted, listed.table_name, listed.id_column, first_id, shard_rows.logical_shard,
    case when listed.kind is null then 'moved.row_kind' else quote_literal(listed.kind) end,
    case when listed.kind is null then ' and moved.row_kind = range.kind' else '' end
  );
end;
$$;

comment on function pgreprise.shard_rows(text, integer, text) is
'A query for the rows of a table that belong to a logical shard.';
