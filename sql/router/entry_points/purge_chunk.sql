-- purge_chunk(...): as on a server: the next chunk of the server whose turn it is. chunk_turn() tells that from the
-- position. A server that is away is passed over and listed in "away"; a later purge goes on there.
-- Raises what it raises there, RR035 when no server can be reached.
create or replace function public.purge_chunk(
  older_than interval, keep_last integer default 1, after_rerun_id bigint default 0, chunk_size integer default 1000
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server   record;
  place    constant record := pgreprise.chunk_turn('rerun', purge_chunk.after_rerun_id);
  one      record;
  away     jsonb := jsonb_build_array();
  reached  integer := 0;
begin
  for server in
    select known.name, known.logical_shard
      from pgreprise.servers() as known
     where known.logical_shard >= own.place.turn
     order by known.logical_shard
  loop
    begin
      select answer.refusal, answer.answer into one
        from pgreprise_remote.purge_chunk(own.server.logical_shard, pgreprise.caller(), purge_chunk.older_than,
          purge_chunk.keep_last, case when own.server.logical_shard = own.place.turn then own.place.server_position end,
          purge_chunk.chunk_size) as answer;
      reached := reached + 1;
    exception
      when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
        if not pgreprise.is_away(sqlerrm) then
          raise;
        end if;
        away := away || jsonb_build_array(server.name);
        continue;
    end;
    perform pgreprise.is_answer(one.refusal);
    if one.answer ->> 'after' is not null then
      return one.answer || jsonb_build_object(
        'after', ((one.answer ->> 'after')::bigint << 6) + server.logical_shard,
        'away', away
      );
    end if;
  end loop;
  if reached = 0 then
    perform pgreprise.raise_server_away('PL/Proxy reached none');
  end if;
  return jsonb_build_object('reruns', 0, 'bytes', 0, 'after', null, 'away', away);
end;
$$;
