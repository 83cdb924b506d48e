-- refuse_leaving(shard, logical_shard): the triggers pgreprise_frozen_00 to _63: a row of a logical shard that is being
-- moved cannot be written. Its arguments are the expression for the logical shard of a row "moved" (shard_tables), and
-- the logical shard. The trigger itself is what freezes: a transaction with an old snapshot meets it as well.
-- Runs as the owner of the routines, because the application writes rows too. The move itself passes.
-- Raises RR034.
create or replace function pgreprise.refuse_leaving()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  logical_shard integer;
begin
  if current_setting('pgreprise.moves', true) = tg_argv[1] and pg_has_role(session_user, 'pgreprise_owner', 'member')
  then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  if tg_op = 'INSERT' then
    execute format('select %s from (select ($1).*) as moved', tg_argv[0]) into logical_shard using new;
  else
    execute format('select %s from (select ($1).*) as moved', tg_argv[0]) into logical_shard using old;
  end if;
  if logical_shard = tg_argv[1]::integer then
    perform pgreprise.raise_shard_elsewhere(logical_shard);
  end if;
  return case tg_op when 'DELETE' then old else new end;
end;
$$;

comment on function pgreprise.refuse_leaving() is 'Refuses to write a row of a logical shard that is being moved.';
