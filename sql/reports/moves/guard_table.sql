-- guard_table(table_name): lets a table refuse what is written into rows that are leaving this server, or have left it
-- while a copy is kept here (refuse_moved_row); without such rows its trigger is disabled, and costs nothing.
-- It waits for those who write the table at the moment. One call is one transaction: who holds one table only is in
-- nobody's way who holds another.
create or replace function pgreprise.guard_table(table_name text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  guarded record;
  shards constant integer[] := array(
    select known.logical_shard from pgreprise.logical_shard as known
     where known.state in ('leaving', 'left') order by known.logical_shard
  );
begin
  select listed.table_name, listed.shard_expression into strict guarded
    from pgreprise.shard_tables() as listed
   where listed.table_name = guard_table.table_name;
  if shards <> '{}' then
    execute format(
      'create or '
      'replace trigger pgreprise_refuse_moved before insert or update or delete on %s for each row '
      'execute function pgreprise.refuse_moved_row(%L, %L)',
      guarded.table_name, shards::text, guarded.shard_expression
    );
    execute format('alter table %s enable trigger pgreprise_refuse_moved', guarded.table_name);
  elsif exists (
    select from pg_trigger as existing
     where existing.tgrelid = guarded.table_name::regclass and existing.tgname = 'pgreprise_refuse_moved'
  ) then
    -- Dropping it would keep readers out.
    execute format('alter table %s disable trigger pgreprise_refuse_moved', guarded.table_name);
  end if;
end;
$$;

comment on function pgreprise.guard_table(text) is
'Lets a table refuse writes of rows that are leaving this server, or have left it.';
