-- shard_checksums(logical_shard): for each table how many rows belong to a logical shard, and a checksum of their
-- values that does not depend on their order. Two servers whose rows are the same give the same; one that the logical
-- shard has left gives that of the rows that are kept. The position in the feed is left out: it is a server's own.
create or replace function pgreprise.shard_checksums(logical_shard integer)
returns table (table_name text, rows bigint, checksum numeric)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
<<own>>
declare
  listed record;
begin
  for listed in
    select known.table_name, (
        select format('row(%s)::text as row_text',
            string_agg(format('moved.%I', own_column.name), ', ' order by own_column.place))
          from unnest(pgreprise.moved_columns(known.table_name)) with ordinality as own_column(name, place)
         where own_column.name <> 'feed_position'
      ) as wanted
      from pgreprise.shard_tables() as known
     order by known.place
  loop
    return query execute format(
      'select %L, count(*), '
      'coalesce(sum((''x'' || left(md5(moved_row.row_text), 15))::bit(60)::bigint::numeric), 0) from (%s) as moved_row',
      listed.table_name,
      pgreprise.shard_source(listed.table_name, shard_checksums.logical_shard, listed.wanted)
    );
  end loop;
end;
$$;

comment on function pgreprise.shard_checksums(integer) is
'How many rows of each table belong to a logical shard, and a checksum of them.';
