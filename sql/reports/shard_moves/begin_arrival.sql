-- begin_arrival(logical_shard, departure): what is done on the server to which a logical shard moves, before its rows
-- are copied, in the transaction that copies them: checks that both servers number alike and that none of its rows is
-- here. A copy that is kept from an earlier stay is dropped. departure is what shard_departure() says on the other
-- server.
-- Raises 55000 when something is in the way.
create or replace function pgreprise.begin_arrival(logical_shard integer, departure jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  problem  text;
  listed   record;
  has_rows boolean;
begin
  perform pgreprise.require_state(begin_arrival.logical_shard, array['absent', 'left'], 'arrive');
  problem := (
    select case
        when numbering.first_id <> (begin_arrival.departure ->> 'first_id')::bigint
          then format('the first id here is %s, and there %s', numbering.first_id,
            begin_arrival.departure ->> 'first_id')
        when numbering.hash_version <> (begin_arrival.departure ->> 'hash_version')::integer
          then 'the servers have different versions of population_shard'
        when pgreprise.ranges_checksum() <> begin_arrival.departure ->> 'id_ranges'
          then 'pgreprise.shard_id_range is not the same here and there'
      end
      from pgreprise.shard_numbering as numbering
  );
  for listed in select known.table_name from pgreprise.shard_tables() as known order by known.place loop
    execute format('select exists (%s)',
      pgreprise.shard_rows(listed.table_name, begin_arrival.logical_shard, '1')) into has_rows;
    if has_rows then
      problem := coalesce(problem, format('%s has rows of it', listed.table_name));
    end if;
  end loop;
  perform pgreprise.drop_kept(begin_arrival.logical_shard);
  update pgreprise.logical_shard as known
     set state = 'absent', changed_at = now()
   where known.logical_shard = begin_arrival.logical_shard;
  if problem is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Logical shard %s cannot arrive: %s.', begin_arrival.logical_shard, problem),
      detail = jsonb_build_object('logical_shard', begin_arrival.logical_shard),
      hint = 'Nothing was changed. All servers have the same first id and the same ranges of ids.';
  end if;
end;
$$;

comment on function pgreprise.begin_arrival(integer, jsonb) is
'Checks that a logical shard can arrive, before its rows are copied.';
