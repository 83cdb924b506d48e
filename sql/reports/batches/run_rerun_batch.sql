-- run_rerun_batch(batch_id, chunk_size, result): work through a batch and commit after each chunk. Ended at any moment,
-- it goes on where it stopped when it is called again; no report is done twice, also by two runners at once.
-- rerun_batches(batch_id), over another connection, tells how far it is.
-- It commits, so it runs with the caller's rights and outside a transaction block only; the work is done by
-- rerun_batch_chunk().
-- result: {"batch_id", "reports", "rerun", "refused", "simulations_reset", "economy_cache_rows_deleted"} of this call.
-- Raises 2D000 inside a transaction block, RR016 for a chunk_size that is not between 1 and 100000, RR018 no such
-- batch.
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
'Works through a batch of reruns and commits after each chunk; call it again to go on where it was ended.';

grant execute on procedure public.run_rerun_batch(bigint, integer, jsonb) to pgreprise_dba;
