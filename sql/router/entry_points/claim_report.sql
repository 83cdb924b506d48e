-- claim_report(...): as on a server. Without a report_id the servers are asked one after another, beginning with any of
-- them, until one has work: so no server is asked by all workers, and none is forgotten. A server that is away is
-- passed over; a warning says so.
-- Raises what it raises there, RR035 when no server can be reached.
create or replace function public.claim_report(
  worker text,
  lease interval default interval '1 minute',
  country_id text default null,
  report_type text default null,
  report_id bigint default null,
  max_reports integer default 1
)
returns setof pgreprise.claim_row
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server  record;
  shards  integer[];
  is_away boolean := false;
  reached integer := 0;
begin
  if claim_report.report_id is not null then
    shards := array[pgreprise.shard_of('report', claim_report.report_id)];
  else
    shards := array(select known.logical_shard from pgreprise.servers() as known order by random());
  end if;

  for server in
    select listed.logical_shard from unnest(own.shards) with ordinality as listed(logical_shard, place)
     order by listed.place
  loop
    begin
      return query
        select answer.claim_id, answer.report_id, answer.country_id, answer.run_sequence, answer.attempt,
            answer.worker, answer.lease_until, answer.lease_seconds_left, answer.report_type, answer.year,
            answer.region, answer.report_spec_json, answer.simulations
          from pgreprise_remote.claim_report(own.server.logical_shard,
            pgreprise.caller(case when claim_report.report_id is not null then own.server.logical_shard end),
            claim_report.worker, claim_report.lease, claim_report.country_id, claim_report.report_type,
            claim_report.report_id, claim_report.max_reports) as answer
         where pgreprise.is_answer(answer.refusal);
      reached := reached + 1;
      exit when found;
    exception
      when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
        if not pgreprise.is_away(sqlerrm) then
          raise;
        end if;
        is_away := true;
        raise warning 'The server of logical shard % cannot be reached.', server.logical_shard
          using errcode = 'RR035';
    end;
  end loop;
  if is_away and reached = 0 then
    perform pgreprise.raise_server_away('PL/Proxy reached none', case when claim_report.report_id is not null
      then own.shards[1] end);
  end if;
end;
$$;
