-- rerun_feed(after, max_rows, shard): the feed of the server of this name: each has positions of its own, and there is
-- no order between them. pgreprise.feeds() lists the names.
-- Raises what it raises there, RR035 when the server cannot be reached, RR036 where no server has the name.
create or replace function public.rerun_feed(
  after bigint default 0, max_rows integer default 100, shard text default null
)
returns table (
  feed_position bigint,
  rerun_id bigint,
  kind text,
  report_id bigint,
  country_id text,
  report_type text,
  run_sequence integer,
  simulation_ids bigint[],
  simulation_run_sequences integer[],
  batch_id bigint,
  actor text,
  created_at timestamptz,
  undone boolean,
  cache_scopes jsonb
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  place constant integer := pgreprise.server_of(rerun_feed.shard);
begin
  return query
    select answer.feed_position, answer.rerun_id, answer.kind, answer.report_id, answer.country_id,
        answer.report_type, answer.run_sequence, answer.simulation_ids, answer.simulation_run_sequences,
        answer.batch_id, answer.actor, answer.created_at, answer.undone, answer.cache_scopes
      from pgreprise_remote.rerun_feed(place, pgreprise.caller(), rerun_feed.after, rerun_feed.max_rows, null)
        as answer
     where pgreprise.is_answer(answer.refusal);
exception
  when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
    perform pgreprise.raise_server_away(sqlerrm, place);
    raise;
end;
$$;
