-- undo_batch_chunk(...): as on a server: the next chunk of the server whose turn it is. chunk_turn() tells that from
-- the position. expected_reruns are those of all servers; each is given what it has. A server that is away is passed
-- over and listed in "away"; a later call goes on there.
-- Raises what it raises there, RR035 when no server can be reached, or when one cannot whose reruns have to be counted.
create or replace function public.undo_batch_chunk(
  batch_id bigint, before_rerun_id bigint default null, force boolean default false, chunk_size integer default 100,
  reason text default null, expected_reruns bigint default null, idempotency_key text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server   record;
  place    constant record := pgreprise.chunk_turn('rerun', undo_batch_chunk.before_rerun_id);
  one      record;
  away     jsonb := jsonb_build_array();
  reached  integer := 0;
  had_part boolean := coalesce(undo_batch_chunk.before_rerun_id & 63, 0) > 0;
  done     bigint;
  missing  jsonb;
begin
  if undo_batch_chunk.before_rerun_id is null and undo_batch_chunk.expected_reruns is not null then
    -- Where the first server has another number than it has now, it refuses, as it does alone.
    done := (
      select batch.rerun - batch.undone from public.rerun_batches(undo_batch_chunk.batch_id) as batch
    );
  end if;

  for server in
    select known.name, known.logical_shard
      from pgreprise.servers() as known
     where known.logical_shard >= own.place.turn
     order by known.logical_shard
  loop
    begin
      select answer.refusal, answer.answer into one
        from pgreprise_remote.undo_batch_chunk(
          own.server.logical_shard, pgreprise.caller(), undo_batch_chunk.batch_id,
          case when own.server.logical_shard = own.place.turn then own.place.server_position end,
          undo_batch_chunk.force, undo_batch_chunk.chunk_size, undo_batch_chunk.reason,
          -- No server has so many. Once one has begun, here or in an earlier call with this key, they no longer count.
          case when not own.had_part and own.done <> undo_batch_chunk.expected_reruns then -1 end,
          undo_batch_chunk.idempotency_key
        ) as answer;
      reached := reached + 1;
    exception
      when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
        if not pgreprise.is_away(sqlerrm) then
          raise;
        end if;
        away := away || jsonb_build_array(server.name);
        continue;
    end;
    if one.refusal ->> 'code' = 'RR018' then
      missing := one.refusal;
      continue;
    end if;
    if one.refusal ->> 'code' = 'RR029' and done is not null then
      one.refusal := one.refusal || jsonb_build_object(
        'message', format('Batch #%s is not as the preview saw it: it had %s reruns to be undone, and has %s now. '
          'Nothing was changed.', undo_batch_chunk.batch_id, undo_batch_chunk.expected_reruns, done),
        'detail', jsonb_build_object('batch_id', undo_batch_chunk.batch_id,
          'expected_reruns', undo_batch_chunk.expected_reruns, 'reruns', done)::text
      );
    end if;
    perform pgreprise.is_answer(one.refusal);
    had_part := true;
    if one.answer ->> 'reruns' <> '0' then
      return one.answer || jsonb_build_object(
        'before', ((one.answer ->> 'before')::bigint << 6) + server.logical_shard,
        'away', away
      );
    end if;
  end loop;

  if reached = 0 then
    perform pgreprise.raise_server_away('PL/Proxy reached none');
  end if;
  if not had_part and jsonb_array_length(away) = 0 then
    perform pgreprise.is_answer(missing);
  end if;
  return jsonb_build_object('reruns', 0, 'undone', 0, 'refused', jsonb_build_array(), 'left', jsonb_build_array(),
    'before', null, 'away', away);
end;
$$;
