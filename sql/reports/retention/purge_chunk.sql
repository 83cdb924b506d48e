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
       for no key update skip locked
  );

  with freed as (
    select archived.* from pgreprise.archived_outputs(own.acts) as archived
  ),

  freed_reports as (
    update pgreprise.report_run as run
       set output = null
      from freed
     where freed.row_kind = 'report' and run.report_id = freed.row_id and run.run_sequence = freed.run_sequence
  ),

  freed_simulations as (
    update pgreprise.simulation_run as run
       set output = null
      from freed
     where freed.row_kind = 'simulation' and run.simulation_id = freed.row_id and run.run_sequence = freed.run_sequence
  ),

  freed_impacts as (
    delete from pgreprise.reform_impact_archive as archived
     using freed
     where freed.row_kind = 'reform_impact'
       and archived.reform_impact_id = freed.row_id
       and archived.removal_id = freed.removal_id
  )

  select coalesce(sum(freed.bytes), 0) into bytes from freed;

  update pgreprise.rerun as act set purged_at = now() where act.rerun_id = any (own.acts);

  return jsonb_build_object('reruns', cardinality(acts), 'bytes', bytes,
    'after', candidates[cardinality(candidates)]);
end;
$$;

comment on function public.purge_chunk(interval, integer, bigint, integer) is
'Deletes the next archived outputs that a purge may delete, in one transaction.';

grant execute on function public.purge_chunk(interval, integer, bigint, integer) to pgreprise_dba;
