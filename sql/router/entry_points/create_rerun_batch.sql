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
  planned  record;
  made_id  bigint;
  created  integer[] := array[]::integer[];
  used_id  bigint;
  listed   bigint;
begin
  -- What the servers say about the filter, and whether all can be reached.
  select effects.* into planned from public.rerun_batch_effects(create_rerun_batch.filter) as effects;
  listed := planned.reports + planned.refused;
  made_id := (
    select answer.answer
      from pgreprise_remote.new_batch_id(0, pgreprise.caller(0)) as answer
     where pgreprise.is_answer(answer.refusal)
  );

  for server in
    select known.name, known.logical_shard, known.filter, token.token
      from (
        select every.name, every.logical_shard,
            pgreprise.batch_filter_of(create_rerun_batch.filter, every.logical_shards) as filter
          from pgreprise.servers() as every
      ) as known
      left join pgreprise.batch_tokens(create_rerun_batch.seen) as token on token.name = known.name
     where known.filter is not null
     order by known.logical_shard
  loop
    -- The number that was given is that of all servers: each is given its own.
    used_id := (
      select answer.answer
        from pgreprise_remote.create_rerun_batch(
          own.server.logical_shard,
          pgreprise.caller() || jsonb_build_object('batch_id', own.made_id, 'listed_elsewhere', own.listed - (
            select counted.reports + counted.refused
              from pgreprise_remote.rerun_batch_effects(own.server.logical_shard, pgreprise.caller(),
                own.server.filter) as counted
             where pgreprise.is_answer(counted.refusal)
          )),
          own.server.filter, create_rerun_batch.reason, create_rerun_batch.expected_reports, own.server.token,
          create_rerun_batch.idempotency_key
        ) as answer
       where pgreprise.is_answer(answer.refusal)
    );
    if used_id = made_id then
      created := created || server.logical_shard;
    end if;
    -- The key was used before: the other servers have, or get, their part of that batch.
    made_id := used_id;
  end loop;
  return made_id;
exception
  when others then
    for server in
      select part.logical_shard from unnest(own.created) as part(logical_shard)
    loop
      begin
        perform from pgreprise_remote.cancel_rerun_batch(server.logical_shard, pgreprise.caller(), own.made_id,
          'it could not be created on all servers');
      exception
        when others then
          raise warning 'Batch % stays open on the server of logical shard %: cancel_rerun_batch(%) ends it.',
            made_id, server.logical_shard, made_id;
      end;
    end loop;
    perform pgreprise.raise_server_away(sqlerrm);
    raise;
end;
$$;
