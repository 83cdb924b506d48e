-- kept_table(table_name, logical_shard): the name of the table that keeps the rows of a logical shard after it has
-- moved: pgreprise_moved.report_outputs_17.
create or replace function pgreprise.kept_table(table_name text, logical_shard integer)
returns text
language sql
immutable
begin atomic
  select format('pgreprise_moved.%I', split_part(kept_table.table_name, '.', 2) || '_'
    || to_char(kept_table.logical_shard, 'fm00')) as kept_name;
end;

comment on function pgreprise.kept_table(text, integer) is
'The table that keeps the rows of a logical shard after it has moved.';
