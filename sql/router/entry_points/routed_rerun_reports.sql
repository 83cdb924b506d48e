-- routed_rerun_reports(...): the reruns of rerun_reports(), where all reports are on one server: they are one
-- transaction there.
-- Raises what it raises there, RR035 when the server cannot be reached, RR036 where they are on several.
create or replace function pgreprise.routed_rerun_reports(earlier jsonb, report_ids bigint[], reason text)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  places integer[] := array(
    select distinct server.logical_shard
      from unnest(routed_rerun_reports.report_ids) as listed(report_id)
      join pgreprise.servers() as server
        on pgreprise.shard_of('report', listed.report_id) = any (server.logical_shards)
  );
begin
  if cardinality(places) > 1 then
    raise exception using
      errcode = 'RR036',
      message = format('These reports are on %s servers, and cannot be rerun in one transaction. '
        'Nothing was changed.', cardinality(places)),
      detail = jsonb_build_object('servers', cardinality(places)),
      hint = 'Make a batch of them: select create_rerun_batch(''{"ids": [...]}'');';
  end if;
  return (
    select answer.result
      from pgreprise_remote.rerun_reports(coalesce(own.places[1], 0),
        pgreprise.caller(earlier => routed_rerun_reports.earlier), routed_rerun_reports.report_ids,
        routed_rerun_reports.reason) as answer
     where pgreprise.is_answer(answer.refusal)
  );
exception
  when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
    perform pgreprise.raise_server_away(sqlerrm, places[1]);
    raise;
end;
$$;

comment on function pgreprise.routed_rerun_reports(jsonb, bigint[], text) is
'Reruns reports of one server in one transaction.';
