-- end_leaving(logical_shard): gives a move up whose rows are still here: the logical shard is held as before.
-- guard_table then lets its rows be written again. Returns whether a move was given up.
create or replace function pgreprise.end_leaving(logical_shard integer)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  update pgreprise.logical_shard as known
     set state = 'held', changed_at = now()
   where known.logical_shard = end_leaving.logical_shard and known.state = 'leaving';
  return found;
end;
$$;

comment on function pgreprise.end_leaving(integer) is 'Gives a move up whose rows are still here.';
