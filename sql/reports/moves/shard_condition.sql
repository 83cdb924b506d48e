-- shard_condition(table_name, logical_shard): the condition, as text, for the rows of a table that belong to a logical
-- shard; the table is called moved. Rows with ids of before are found by their ranges, where an index begins with the
-- id (shard_tables); a table that has none is read as a whole.
create or replace function pgreprise.shard_condition(table_name text, logical_shard integer)
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
   where known.table_name = shard_condition.table_name;
  if not listed.has_index then
    return format('%s = %s', listed.shard_expression, shard_condition.logical_shard);
  end if;
  return format(
    'moved.ctid = any (array('
    'select found.ctid from %1$s as found where found.%2$I >= %3$s and found.%2$I & 63 = %4$s '
    'union all select found.ctid from pgreprise.shard_id_range as range '
    'join %1$s as found on found.%2$I between range.first_id and range.last_id and %5$s '
    'where range.logical_shard = %4$s))',
    listed.table_name, listed.id_column, first_id, shard_condition.logical_shard,
    case
      when listed.kind is null then 'found.row_kind = range.kind'
      else format('range.kind = %L', listed.kind)
    end
  );
end;
$$;

comment on function pgreprise.shard_condition(text, integer) is
'The condition for the rows of a table that belong to a logical shard.';
