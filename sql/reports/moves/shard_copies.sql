-- shard_copies(logical_shard): the statements that bring the rows of a logical shard to another server, in their
-- order: taken is run here and given there, with what it writes. Where the logical shard has left, but has not
-- arrived, the rows are those that are kept. The acts get positions below 0 there, so that the feed of that server
-- does not show them.
create or replace function pgreprise.shard_copies(logical_shard integer)
returns table (table_name text, taken text, given text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  has_left constant boolean := exists (
    select from pgreprise.logical_shard as known
     where known.logical_shard = shard_copies.logical_shard and known.state = 'left'
  );
begin
  return query
    select listed.table_name,
        format('copy (select %s from %s as moved where %s) to stdout',
          (
            select string_agg(
                case
                  when listed.table_name = 'pgreprise.rerun' and named.name = 'feed_position' then '- moved.rerun_id'
                  else format('moved.%I', named.name)
                end, ', ' order by named.position)
              from unnest(listed.columns) with ordinality as named(name, position)
          ),
          case
            when own.has_left then pgreprise.kept_table(listed.table_name, shard_copies.logical_shard)
            else listed.table_name
          end,
          case
            when own.has_left then 'true'
            else pgreprise.shard_condition(listed.table_name, shard_copies.logical_shard)
          end),
        format('copy %s (%s) from stdin', listed.table_name,
          (select string_agg(quote_ident(named.name), ', ' order by named.position)
             from unnest(listed.columns) with ordinality as named(name, position)))
      from pgreprise.shard_tables() as listed
     order by listed.place;
end;
$$;

comment on function pgreprise.shard_copies(integer) is
'The statements that bring the rows of a logical shard to another server.';
