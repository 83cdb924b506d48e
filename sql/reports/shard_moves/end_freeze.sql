-- end_freeze(logical_shard): rows of the logical shard may be written again: the triggers of freeze_logical_shard() are
-- disabled. They are not dropped, because that would keep readers out.
create or replace function pgreprise.end_freeze(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  listed record;
begin
  for listed in select known.table_name from pgreprise.shard_tables() as known order by known.place loop
    execute format('alter table %s disable trigger pgreprise_frozen_%s', listed.table_name,
      to_char(end_freeze.logical_shard, 'fm00'));
  end loop;
end;
$$;

comment on function pgreprise.end_freeze(integer) is 'Rows of the logical shard may be written again.';
