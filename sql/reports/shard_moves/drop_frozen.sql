-- drop_frozen(logical_shard): drops the triggers of freeze_logical_shard().
create or replace function pgreprise.drop_frozen(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  listed record;
begin
  for listed in select known.table_name from pgreprise.shard_tables() as known order by known.place loop
    execute format('drop trigger if exists pgreprise_frozen_%s on %s', to_char(drop_frozen.logical_shard, 'fm00'),
      listed.table_name);
  end loop;
end;
$$;

comment on function pgreprise.drop_frozen(integer) is 'Drops the triggers of freeze_logical_shard().';
