-- shard_rows(table_name, logical_shard, wanted): the text of a query for the rows of a table that belong to a logical
-- shard, as shard_tables() says. wanted is its select list, about a row "moved".
-- New ids tell it by themselves. Rows with ids of before are found by their ranges, where an index has them.
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
  select known.* into strict listed
    from pgreprise.shard_tables() as known
   where known.table_name = shard_rows.table_name;
  if not listed.has_index then
    return format('select %s from %s as moved where %s = %s', shard_rows.wanted, listed.table_name, listed.shard,
      shard_rows.logical_shard);
  end if;
  return format(
    'select %1$s from %2$s as moved where moved.%3$I >= %4$s and moved.%3$I & 63 = %5$s '
    'union all select %1$s from pgreprise.shard_id_range as range '
    'join %2$s as moved on moved.%3$I between range.first_id and range.last_id '
    'where range.kind = %6$s and range.logical_shard = %5$s',
    shard_rows.wanted, listed.table_name, listed.key_column, first_id, shard_rows.logical_shard,
    coalesce(quote_literal(listed.kind), format('moved.%I', listed.kind_column))
  );
end;
$$;

comment on function pgreprise.shard_rows(text, integer, text) is
'A query for the rows of a table that belong to a logical shard.';
