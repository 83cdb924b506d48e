-- shard_fingerprint(logical_shard, kept): for each table, how many rows a logical shard has here, and a sum of them
-- that does not depend on their order, to compare with another server. kept asks for the copy that stayed when it
-- left. The position in the feed is left out: each server has its own. All settings that change how a value is
-- written are set.
create or replace function pgreprise.shard_fingerprint(logical_shard integer, kept boolean default false)
returns table (table_name text, rows bigint, checksum text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set intervalstyle = 'iso_8601'
set timezone = 'UTC'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
<<own>>
declare
  listed record;
begin
  for listed in
    select stored.table_name,
        array(select format('moved.%I', named.name) from unnest(stored.columns) with ordinality as named(name, position)
               where (stored.table_name, named.name) <> ('pgreprise.rerun', 'feed_position')
               order by named.position) as columns
      from pgreprise.shard_tables() as stored
     order by stored.place
  loop
    return query execute format(
      'select %L, count(*), coalesce(sum((''x'' || left(md5(row(%s)::text), 15))::bit(60)::bigint::numeric), 0)::text '
      'from %s as moved where %s',
      listed.table_name, array_to_string(listed.columns, ', '),
      case
        when shard_fingerprint.kept then pgreprise.kept_table(listed.table_name, shard_fingerprint.logical_shard)
        else listed.table_name
      end,
      case
        when shard_fingerprint.kept then 'true'
        else pgreprise.shard_condition(listed.table_name, shard_fingerprint.logical_shard)
      end
    );
  end loop;
end;
$$;

comment on function pgreprise.shard_fingerprint(integer, boolean) is
'How many rows a logical shard has in each table, and a sum of them to compare with another server.';
