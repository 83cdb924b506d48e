-- undo_batch_chunk(batch_id, before_rerun_id, force, chunk_size, reason, expected_reruns, idempotency_key): undoes the
-- next reruns of a batch, in one transaction: the newest ones before before_rerun_id (null for the newest of all).
-- undo_rerun_batch() and `pgreprise undo --batch` call it repeatedly. Reruns that cannot be undone are listed and not
-- changed, and so are those that need a row which somebody else holds ("left"). Without a lock_timeout of the caller it
-- waits a second before it leaves one. Call it again for them. expected_reruns is how many reruns of the batch a
-- preview has found that are not undone. With it and without a position nothing is undone where there are more or fewer
-- now. In a second call with the same idempotency key they do not count: the first call has undone some of them.
-- Returns {"reruns": how many this chunk looked at, "undone", "refused": [{"rerun_id", "report_id", "errcode",
-- "message"}, ...], "left": likewise, "before": the position for the next chunk}; 0 reruns when none is left.
-- Raises RR012 when the key was used for something else, RR016 for an impossible key or a chunk_size that is not
-- between 1 and 100000, RR017 when the caller's token may not, or may not use force, RR018 no such batch, RR023 when a
-- sequence is behind, RR029 other than the expected reruns are left.
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
  acts     bigint[];
  act_id   bigint;
  target   record;
  undone   bigint := 0;
  refused  jsonb := jsonb_build_array();
  left_out jsonb := jsonb_build_array();
  is_limited constant boolean := current_setting('lock_timeout') <> '0';
  longest  text;
  taken_key text;
  table_of  text;
  schema_of text;
  message_of text;
  context_of text;
  still_done bigint;
  used_id bigint;
begin
  perform pgreprise.enter('reports:rerun');
  longest := current_setting('lock_timeout');
  perform pgreprise.check_chunk_size(undo_batch_chunk.chunk_size);
  if undo_batch_chunk.force then
    perform pgreprise.require_scope('reports:admin');
  end if;
  perform pgreprise.require_batch(undo_batch_chunk.batch_id);
  if undo_batch_chunk.before_rerun_id is null then
    -- Chunks that are at work are to be undone too: each holds this row until its acts are there.
    perform from pgreprise.rerun_batch as batch where batch.batch_id = undo_batch_chunk.batch_id for update;
    if undo_batch_chunk.idempotency_key is not null then
      used_id := pgreprise.use_idempotency_key(undo_batch_chunk.idempotency_key, 'undo_batch',
        undo_batch_chunk.batch_id, undo_batch_chunk.batch_id);
    end if;
    if used_id is null and undo_batch_chunk.expected_reruns is not null then
      still_done := (
        select count(*)
          from pgreprise.rerun as found_act
         where found_act.batch_id = undo_batch_chunk.batch_id and found_act.undone_by is null
      );
    end if;
    if still_done <> undo_batch_chunk.expected_reruns then
      raise exception using
        errcode = 'RR029',
        message = format('Batch #%s is not as the preview saw it: it had %s to be undone, and has %s now. '
          'Nothing was changed.', undo_batch_chunk.batch_id,
          case undo_batch_chunk.expected_reruns when 1 then '1 rerun'
            else undo_batch_chunk.expected_reruns || ' reruns' end, still_done),
        detail = jsonb_build_object('batch_id', undo_batch_chunk.batch_id,
          'expected_reruns', undo_batch_chunk.expected_reruns, 'reruns', still_done),
        hint = 'Look at it again: select * from rerun_batch_obstacles(<batch_id>)';
    end if;
  end if;
  if not is_limited then
    perform set_config('lock_timeout', '1s', true);
  end if;
  undo_batch_chunk.reason := pgreprise.checked_reason(undo_batch_chunk.reason);

  acts := array(
    select found_act.rerun_id
      from pgreprise.rerun as found_act
     where found_act.batch_id = undo_batch_chunk.batch_id
       and found_act.undone_by is null
       and (undo_batch_chunk.before_rerun_id is null or found_act.rerun_id < undo_batch_chunk.before_rerun_id)
     order by found_act.rerun_id desc
     limit undo_batch_chunk.chunk_size
  );

  -- All locks are taken here, in the usual order; undoing one rerun after the other would take them in another.
  begin
    perform from public.report_outputs as report
      where report.id in (select found_act.report_id from pgreprise.rerun as found_act
        where found_act.rerun_id = any (own.acts))
      order by report.id
        for no key update;
    perform from public.simulations as simulation
      where simulation.id in (
        select linked.simulation_id
          from pgreprise.rerun as found_act
         cross join lateral unnest(found_act.simulation_ids) as linked(simulation_id)
         where found_act.rerun_id = any (own.acts)
      )
      order by simulation.id
        for no key update;
    if exists (select from pgreprise.claim as claim where claim.ended_at is null) then
      perform pgreprise.lock_claims(
        array(select found_act.report_id from pgreprise.rerun as found_act where found_act.rerun_id = any (own.acts)),
        array(
          select distinct linked.simulation_id
            from pgreprise.rerun as found_act
           cross join lateral unnest(found_act.simulation_ids) as linked(simulation_id)
           where found_act.rerun_id = any (own.acts)
        )
      );
    end if;
  exception
    when lock_not_available then
      -- Now each takes its own. It waits less long than it takes to find a deadlock.
      perform set_config('lock_timeout', '50ms', true);
  end;

  foreach act_id in array acts loop
    select found_act.report_id, found_act.simulation_ids into target
      from pgreprise.rerun as found_act
     where found_act.rerun_id = own.act_id;
    begin
      perform pgreprise.undo_act(act_id, coalesce(undo_batch_chunk.force, false),
        undo_batch_chunk.reason);
      -- What is deferred to the end of the transaction refuses this one only.
      set constraints all immediate;
      undone := undone + 1;
    exception
      when lock_not_available then
        begin
          perform pgreprise.raise_report_wait(array[target.report_id], target.simulation_ids);
        exception
          when lock_not_available then
            left_out := left_out || jsonb_build_object('rerun_id', act_id, 'errcode', sqlstate, 'message', sqlerrm,
              'report_id', target.report_id);
        end;
      when others then
        get stacked diagnostics
          taken_key = constraint_name, table_of = table_name, schema_of = schema_name,
          message_of = message_text, context_of = pg_exception_context;
        if sqlstate not in ('RR010', 'RR014', 'RR021', 'RR022')
          and not pgreprise.is_refusal_of_host(sqlstate, context_of, schema_of, taken_key, table_of)
        then
          perform pgreprise.raise_sequence_behind('RR023', taken_key);
          raise;
        end if;
        refused := refused || jsonb_build_object('rerun_id', act_id, 'errcode', sqlstate,
          'message', pgreprise.host_message(message_of, taken_key), 'report_id', target.report_id);
    end;
  end loop;

  perform set_config('lock_timeout', longest, true);
  return jsonb_build_object('reruns', cardinality(acts), 'undone', undone, 'refused', refused,
    'left', left_out, 'before', acts[cardinality(acts)]);
end;
$$;

comment on function public.undo_batch_chunk(bigint, bigint, boolean, integer, text, bigint, text) is
'Undoes the newest reruns of a batch before a position, in one transaction.';

grant execute on function public.undo_batch_chunk(bigint, bigint, boolean, integer, text, bigint, text)
to pgreprise_api, pgreprise_dba;
