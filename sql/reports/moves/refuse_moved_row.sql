-- refuse_moved_row(): the trigger pgreprise_refuse_moved, which a table has while rows of it are being moved to another
-- server, and until the copy that stays is forgotten. Its arguments are the logical shards, as an array, and the
-- expression for the logical shard of a row "moved" (shard_tables). They are arguments, and not looked up, since a
-- transaction with an old snapshot would not see them.
-- Runs as the owner of the routines, because the application writes these tables too. The move itself passes.
-- Raises RR034 when the row, or what it was, belongs to one of these logical shards.
create or replace function pgreprise.refuse_moved_row()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  shard integer;
begin
  if tg_op = 'INSERT' then
    execute format('select %s from (select ($1).*) as moved', tg_argv[1]) into shard using new;
  else
    execute format('select %s from (select ($1).*) as moved', tg_argv[1]) into shard using old;
  end if;
  if shard = any (tg_argv[0]::integer[])
    and not (
      shard::text is not distinct from current_setting('pgreprise.leaving_shard', true)
      and pg_has_role(session_user, 'pgreprise_owner', 'member')
    )
  then
    perform pgreprise.raise_shard_elsewhere(shard);
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;

comment on function pgreprise.refuse_moved_row() is 'Refuses a write of a row that is being moved to another server.';
