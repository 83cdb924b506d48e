-- drop_kept(logical_shard): drops what pgreprise_moved keeps of a logical shard.
create or replace function pgreprise.drop_kept(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  kept record;
begin
  for kept in
    select named.name
      from pgreprise.shard_tables() as known
     cross join lateral pgreprise.kept_table(known.table_name, drop_kept.logical_shard) as named(name)
     where to_regclass(named.name) is not null
  loop
    execute format('drop table %s', kept.name);
  end loop;
end;
$$;

comment on function pgreprise.drop_kept(integer) is 'Drops what pgreprise_moved keeps of a logical shard.';
