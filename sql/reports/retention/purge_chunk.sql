-- purge_chunk(older_than, keep_last, after_rerun_id, chunk_size): deletes the next archived outputs that a purge may
-- delete, in one transaction. purge_runs() and `pgreprise purge` call it repeatedly. The rows that tell what happened
-- stay, and so do idempotency keys. An act that somebody is undoing at the moment is left for the next purge.
-- Returns {"reruns": how many acts it purged, "bytes": of stored output, "after": the position for the next chunk};
-- "after" is null when there was nothing left.
-- Raises RR016 for impossible values, RR017 for a caller who may not purge.
create or replace function public.purge_chunk(
  older_than interval, keep_last integer default 1, after_rerun_id bigint default 0, chunk_size integer default 1000
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  candidates bigint[];
  acts       bigint[];
  freed      bigint;
  bytes      bigint;
begin
  perform pgreprise.enter('reports:admin');
  perform pgreprise.check_purge(purge_chunk.older_than, purge_chunk.keep_last);
  perform pgreprise.check_chunk_size(purge_chunk.chunk_size);

  candidates := array(
    select pgreprise.purgeable_reruns(purge_chunk.older_than, purge_chunk.keep_last,
      coalesce(purge_chunk.after_rerun_id, 0), purge_chunk.chunk_size)
  );
  acts := array(
    select act.rerun_id
      from pgreprise.rerun as act
     where act.rerun_id = any (own.candidates) and act.purged_at is null
     order by act.rerun_id
       for update skip locked
  );

  with freed_runs as (
    select run.report_id, run.run_sequence, pg_column_size(run.output) as bytes
      from pgreprise.rerun as act
      join pgreprise.report_run as run
        on run.report_id = act.report_id and run.run_sequence = act.run_sequence - 1
     where act.rerun_id = any (own.acts) and run.output is not null
  ),

  cleared as (
    update pgreprise.report_run as run
       set output = null
      from freed_runs
     where run.report_id = freed_runs.report_id and run.run_sequence = freed_runs.run_sequence
    returning freed_runs.bytes
  )

  select coalesce(sum(cleared.bytes), 0) into bytes from cleared;

  with freed_runs as (
    select run.simulation_id, run.run_sequence, pg_column_size(run.output) as bytes
      from pgreprise.rerun as act
     cross join lateral unnest(act.simulation_ids, act.simulation_run_sequences) as started(simulation_id, run_sequence)
      join pgreprise.simulation_run as run
        on run.simulation_id = started.simulation_id and run.run_sequence = started.run_sequence - 1
     where act.rerun_id = any (own.acts) and run.output is not null
  ),

  cleared as (
    update pgreprise.simulation_run as run
       set output = null
      from freed_runs
     where run.simulation_id = freed_runs.simulation_id and run.run_sequence = freed_runs.run_sequence
    returning freed_runs.bytes
  )

  select coalesce(sum(cleared.bytes), 0) into freed from cleared;
  bytes := bytes + freed;

  with cleared as (
    delete from pgreprise.reform_impact_archive as archived
     using pgreprise.rerun as act, unnest(act.reform_impact_ids) as removed(reform_impact_id)
     where act.rerun_id = any (own.acts)
       and archived.removal_id = act.removal_id
       and archived.reform_impact_id = removed.reform_impact_id
    returning pg_column_size(archived.reform_impact_json) as bytes
  )

  select coalesce(sum(cleared.bytes), 0) into freed from cleared;
  bytes := bytes + freed;

  update pgreprise.rerun as act set purged_at = now() where act.rerun_id = any (own.acts);

  return jsonb_build_object('reruns', cardinality(acts), 'bytes', bytes,
    'after', candidates[cardinality(candidates)]);
end;
$$;

comment on function public.purge_chunk(interval, integer, bigint, integer) is
'Deletes the next archived outputs that a purge may delete, in one transaction.';

grant execute on function public.purge_chunk(interval, integer, bigint, integer) to pgreprise_dba;
