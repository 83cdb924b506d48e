-- cancel_rerun_batch(...): as on a server, on each that has a part of the batch. A part that is finished needs none. A
-- server that is away is told at the end; cancel again when it is back.
-- Raises what it raises there, RR035 when a server cannot be reached.
create or replace function public.cancel_rerun_batch(batch_id bigint, reason text default null)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server    record;
  one       record;
  refusal   jsonb;
  remaining bigint;
  lost      text;
begin
  for server in
    select known.logical_shard from pgreprise.servers() as known order by known.logical_shard
  loop
    begin
      select answer.refusal, answer.answer into one
        from pgreprise_remote.cancel_rerun_batch(own.server.logical_shard, pgreprise.caller(),
          cancel_rerun_batch.batch_id, cancel_rerun_batch.reason) as answer;
    exception
      when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
        if not pgreprise.is_away(sqlerrm) then
          raise;
        end if;
        lost := sqlerrm;
        continue;
    end;
    if one.refusal is null then
      remaining := coalesce(remaining, 0) + one.answer;
    elsif one.refusal ->> 'code' = 'RR025' or refusal is null then
      -- That a part is finished says more than that a server has none.
      refusal := one.refusal;
    end if;
    if one.refusal ->> 'code' not in ('RR018', 'RR025') then
      perform pgreprise.is_answer(one.refusal);
    end if;
  end loop;
  if lost is not null then
    perform pgreprise.raise_server_away(lost);
  end if;
  if remaining is null then
    perform pgreprise.is_answer(refusal);
  end if;
  return remaining;
end;
$$;
