-- rerun_batch_chunk(...): as on a server: the next chunk of the server whose turn it is. chunk_turn() tells that from
-- the position. A server that is away is passed over: it is listed in "away", what it has of the batch remains, and a
-- later call goes on there.
-- Raises what it raises there, RR035 when no server can be reached.
create or replace function public.rerun_batch_chunk(
  batch_id bigint, chunk_size integer default 1000, after_report_id bigint default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server   record;
  place    constant record := pgreprise.chunk_turn('report', rerun_batch_chunk.after_report_id);
  one      record;
  away     jsonb := jsonb_build_array();
  nothing  jsonb;
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
        from pgreprise_remote.rerun_batch_chunk(own.server.logical_shard, pgreprise.caller(),
          rerun_batch_chunk.batch_id, rerun_batch_chunk.chunk_size,
          case when own.server.logical_shard = own.place.turn then own.place.server_position end) as answer;
      reached := reached + 1;
    exception
      when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
        if not pgreprise.is_away(sqlerrm) then
          raise;
        end if;
        away := away || jsonb_build_array(server.name);
        continue;
    end;
    -- It has no part of the batch, or is done with it.
    continue when one.refusal ->> 'code' = 'RR018';
    perform pgreprise.is_answer(one.refusal);
    nothing := one.answer;
    if one.answer ->> 'after' is not null then
      return one.answer || jsonb_build_object(
        'after', ((one.answer ->> 'after')::bigint << 6) + server.logical_shard,
        'away', away
      );
    end if;
  end loop;

  if nothing is not null then
    return nothing || jsonb_build_object('away', away);
  end if;
  if reached = 0 then
    perform pgreprise.raise_server_away('PL/Proxy reached none');
  end if;
  if jsonb_array_length(away) = 0 and place.turn = 0 then
    perform pgreprise.is_answer(one.refusal);
  end if;
  return jsonb_build_object('reports', 0, 'rerun', 0, 'refused', 0, 'simulations_reset', 0,
    'economy_cache_rows_deleted', 0, 'left', jsonb_build_array(), 'after', null, 'away', away);
end;
$$;
