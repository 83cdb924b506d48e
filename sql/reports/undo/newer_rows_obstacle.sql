-- newer_rows_obstacle(ids): the words for economy cache rows that were computed after an act had emptied their key.
create or replace function pgreprise.newer_rows_obstacle(ids bigint[])
returns text
language sql
stable
begin atomic
  select 'there are newer economy cache rows (#' || array_to_string(newer_rows_obstacle.ids, ', #') || ')' as obstacle;
end;

comment on function pgreprise.newer_rows_obstacle(bigint[]) is
'The words for economy cache rows that stand in the way of an undo.';
