-- forget_shard(logical_shard): drops the copy of a logical shard that stayed here when it left. guard_table then no
-- longer refuses its rows. Returns whether there was one.
create or replace function pgreprise.forget_shard(logical_shard integer)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  listed record;
begin
  update pgreprise.logical_shard as known
     set state = 'absent', changed_at = now()
   where known.logical_shard = forget_shard.logical_shard and known.state = 'left';
  if not found then
    return false;
  end if;
  for listed in
    select stored.table_name from pgreprise.shard_tables() as stored
  loop
    execute format('drop table if exists %s',
      pgreprise.kept_table(listed.table_name, forget_shard.logical_shard));
  end loop;
  return true;
end;
$$;

comment on function pgreprise.forget_shard(integer) is
'Drops the copy of a logical shard that stayed here when it left.';
