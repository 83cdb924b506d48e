-- run_rerun_batch(batch_id, chunk_size, result): reruns the reports of a batch and commits after each chunk. If it is
-- stopped, call it again and it continues. No report is rerun twice, also when two sessions run one batch.
-- Over another connection rerun_batches(batch_id) tells how many reports are done.
-- Because it commits, it runs with the caller's rights, and only outside a transaction block; rerun_batch_chunk() does
-- the work.
-- result: {"batch_id", "reports", "rerun", "refused", "simulations_reset", "economy_cache_rows_deleted"} of this call.
-- Raises 2D000 inside a transaction block, RR016 for a chunk_size that is not between 1 and 100000, RR017 when the
-- caller's token may not, RR018 no such batch.
create or replace procedure public.run_rerun_batch(
  batch_id bigint, chunk_size integer default 1000, inout result jsonb default null
)
language plpgsql
as $$
declare
  chunk jsonb;
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

  result := jsonb_build_object('batch_id', run_rerun_batch.batch_id, 'reports', 0, 'rerun', 0, 'refused', 0,
    'simulations_reset', 0, 'economy_cache_rows_deleted', 0);
  loop
    chunk := public.rerun_batch_chunk(run_rerun_batch.batch_id, run_rerun_batch.chunk_size);
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    exit when chunk ->> 'reports' = '0';
    result := pgreprise.add_counts(result, chunk);
  end loop;
end;
$$;

comment on procedure public.run_rerun_batch is
'Reruns the reports of a batch and commits after each chunk; call it again to continue after it was stopped.';

grant execute on procedure public.run_rerun_batch(bigint, integer, jsonb) to pgreprise_dba;
