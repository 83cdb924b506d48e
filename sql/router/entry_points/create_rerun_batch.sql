-- create_rerun_batch(...): as on a server, over all of them. The batch has one id everywhere, which the server of
-- logical shard 0 gives; a server that has none of its reports has none of it. Each server is asked first what it would
-- do, and nothing is created unless all have said so. Where one fails afterwards, the parts that were created are
-- cancelled.
-- Raises what it raises there, RR035 when a server cannot be reached.
create or replace function public.create_rerun_batch(
  filter jsonb,
  reason text default null,
  expected_reports bigint default null,
  seen text default null,
  idempotency_key text default null
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server   record;
  made_id  bigint;
  new_id   bigint;
  asked    integer[] := array[]::integer[];
  used_id  bigint;
  undone_because constant text := 'it could not be created on all servers';
  parts    jsonb;
  listed   bigint;
begin
  -- What the servers say about the filter, and whether all can be reached.
  -- Counting is not reading: the token needs reports:rerun alone, which each server checks before it creates.
  parts := (
    select jsonb_agg(jsonb_build_object('name', every.name, 'logical_shard', every.logical_shard, 'filter', part.filter,
        'reports', counted.reports + counted.refused) order by every.logical_shard)
      from pgreprise.servers() as every
     cross join lateral pgreprise.batch_filter_of(create_rerun_batch.filter, every.logical_shards) as part(filter)
     cross join lateral pgreprise_remote.rerun_batch_effects(every.logical_shard,
       pgreprise.caller() || '{"claims": null}', part.filter) as counted
     where (part.filter is not null or create_rerun_batch.filter is null) and pgreprise.is_answer(counted.refusal)
  );
  listed := (select sum(part.reports) from jsonb_to_recordset(own.parts) as part(reports bigint));
  new_id := (
    select answer.answer
      from pgreprise_remote.new_batch_id(0, pgreprise.caller(0)) as answer
     where pgreprise.is_answer(answer.refusal)
  );
  made_id := new_id;

  for server in
    select part.logical_shard, part.filter, part.reports, token.token
      from jsonb_to_recordset(own.parts)
        as part(name text, logical_shard integer, filter jsonb, reports bigint)
      left join pgreprise.batch_tokens(create_rerun_batch.seen) as token on token.name = part.name
     order by part.logical_shard
  loop
    asked := asked || server.logical_shard;
    -- The number that was given is that of all servers: each adds what the others have.
    used_id := (
      select answer.answer
        from pgreprise_remote.create_rerun_batch(
          own.server.logical_shard,
          pgreprise.caller() || jsonb_build_object('batch_id', own.made_id,
            'listed_elsewhere', own.listed - own.server.reports),
          own.server.filter, create_rerun_batch.reason, create_rerun_batch.expected_reports, own.server.token,
          create_rerun_batch.idempotency_key
        ) as answer
       where pgreprise.is_answer(answer.refusal)
    );
    if used_id <> made_id and exists (
      select from public.rerun_batches(used_id) as batch where batch.cancel_reason = own.undone_because
    ) then
      raise exception using
        errcode = 'RR012',
        message = format('This idempotency key was used for batch #%s, which could not be created on all servers.',
          used_id),
        detail = jsonb_build_object('batch_id', used_id),
        hint = 'Nothing was changed. Use a new key for each batch.';
    end if;
    -- The key was used before: the other servers have, or get, their part of that batch.
    made_id := used_id;
  end loop;
  return made_id;
exception
  when query_canceled or others then
    -- Also on the one that was lost: it may have done it. Parts of an earlier batch with this key have another id.
    for server in
      select part.logical_shard from unnest(own.asked) as part(logical_shard)
    loop
      begin
        perform from pgreprise_remote.cancel_rerun_batch(server.logical_shard, pgreprise.caller(), own.new_id,
            own.undone_because) as answer
          where answer.refusal ->> 'code' not in ('RR018', 'RR025') and pgreprise.is_answer(answer.refusal);
      exception
        when others then
          raise warning 'Batch % stays open on the server of logical shard %: cancel_rerun_batch(%) ends it.',
            new_id, server.logical_shard, new_id;
      end;
    end loop;
    perform pgreprise.raise_server_away(sqlerrm);
    raise;
end;
$$;
