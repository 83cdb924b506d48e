-- kept_table(table_name, logical_shard): the name of the table that keeps the rows of a logical shard that has left.
create or replace function pgreprise.kept_table(table_name text, logical_shard integer)
returns text
language sql
immutable
begin atomic
  select format(
    'pgreprise_moved.%I', split_part(kept_table.table_name, '.', 2) || '_' || to_char(kept_table.logical_shard, 'fm00')
  ) as kept;
end;

comment on function pgreprise.kept_table(text, integer) is
'The name of the table that keeps the rows of a logical shard that has left.';
