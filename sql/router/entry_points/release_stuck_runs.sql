-- release_stuck_runs(...): as on a server, on one after another, at most max_rows of all. What one has released stays
-- released, so it is told also where another cannot be reached: that is passed over, and a warning says so.
-- Raises what it raises there, RR035 when no server can be reached.
create or replace function public.release_stuck_runs(
  older_than interval, max_rows integer default 100, country_id text default null, dry_run boolean default false
)
returns table (
  report_id bigint, country text, run_sequence integer, worker text, since timestamptz, result text
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server    record;
  rows_left integer := release_stuck_runs.max_rows;
  found_now integer;
  reached   integer := 0;
begin
  for server in
    select known.name, known.logical_shard from pgreprise.servers() as known order by known.logical_shard
  loop
    begin
      return query
        select answer.report_id, answer.country, answer.run_sequence, answer.worker, answer.since, answer.result
          from pgreprise_remote.release_stuck_runs(own.server.logical_shard, pgreprise.caller(),
            release_stuck_runs.older_than, own.rows_left, release_stuck_runs.country_id,
            release_stuck_runs.dry_run) as answer
         where pgreprise.is_answer(answer.refusal);
      get diagnostics found_now = row_count;
      reached := reached + 1;
      rows_left := rows_left - found_now;
      exit when rows_left < 1;
    exception
      when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
        if not pgreprise.is_away(sqlerrm) then
          raise;
        end if;
        raise warning 'Server % cannot be reached. Its runs are as they were.', server.name using errcode = 'RR035';
    end;
  end loop;
  if reached = 0 then
    perform pgreprise.raise_server_away('PL/Proxy reached none');
  end if;
end;
$$;
