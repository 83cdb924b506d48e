-- rerun_batch_effects(filter): as on a server, added up over all. Reports of several servers share nothing. seen has a
-- token of each server.
-- Raises what it raises there, RR035 when a server cannot be reached.
create or replace function public.rerun_batch_effects(filter jsonb)
returns table (
  reports bigint,
  refused bigint,
  simulations bigint,
  reform_impacts bigint,
  sharing_reports bigint,
  is_large boolean,
  seen text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server  record;
  one     record;
  largest constant bigint := (
    select answer.value::bigint
      from pgreprise_remote.settings(floor(64 * random())::integer, pgreprise.caller()) as answer
     where pgreprise.is_answer(answer.refusal) and answer.name = 'largest_batch'
  );
begin
  reports := 0;
  refused := 0;
  simulations := 0;
  reform_impacts := 0;
  sharing_reports := 0;
  for server in
    select known.name, known.logical_shard, known.filter
      from (
        select listed.name, listed.logical_shard,
            pgreprise.batch_filter_of(rerun_batch_effects.filter, listed.logical_shards) as filter
          from pgreprise.servers() as listed
      ) as known
     where known.filter is not null or rerun_batch_effects.filter is null
     order by known.logical_shard
  loop
    select answer.* into one
      from pgreprise_remote.rerun_batch_effects(own.server.logical_shard, pgreprise.caller(), own.server.filter)
        as answer
     where pgreprise.is_answer(answer.refusal);
    reports := reports + one.reports;
    refused := refused + one.refused;
    simulations := simulations + one.simulations;
    reform_impacts := reform_impacts + one.reform_impacts;
    sharing_reports := sharing_reports + one.sharing_reports;
    seen := concat_ws(';', seen, format('%s=%s', server.name, one.seen));
  end loop;
  is_large := largest < reports + refused;
  return next;
exception
  when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
    perform pgreprise.raise_server_away(sqlerrm);
    raise;
end;
$$;
