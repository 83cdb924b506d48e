-- shard_copies(logical_shard): how the rows of a logical shard are copied to another server: for each table, in this
-- order, the columns, and the statements to type here and there: `copy (...) to stdout` and `copy ... from stdin`. When
-- the logical shard has left already, the rows are those that are kept.
-- An act that arrives has its number as its position in the feed, below zero: only the server on which it was done
-- delivers it to readers.
create or replace function pgreprise.shard_copies(logical_shard integer)
returns table (place integer, table_name text, columns text[], copy_out text, copy_in text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select listed.place, listed.table_name, copied.columns,
        format('copy (%s) to stdout',
          pgreprise.shard_source(listed.table_name, shard_copies.logical_shard, copied.wanted)),
        format('copy %s (%s) from stdin', listed.table_name, copied.names)
      from pgreprise.shard_tables() as listed
     cross join lateral (
       select array_agg(own_column.name order by own_column.place) as columns,
           string_agg(quote_ident(own_column.name), ', ' order by own_column.place) as names,
           string_agg(case
             when listed.table_name = 'pgreprise.rerun' and own_column.name = 'feed_position' then '-moved.rerun_id'
             else format('moved.%I', own_column.name)
           end, ', ' order by own_column.place) as wanted
         from unnest(pgreprise.moved_columns(listed.table_name)) with ordinality as own_column(name, place)
     ) as copied
     order by listed.place;
end;
$$;

comment on function pgreprise.shard_copies(integer) is
'How the rows of a logical shard are copied to another server.';
