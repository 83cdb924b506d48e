-- run_rerun_batch(batch_id, chunk_size, result): reruns the reports of a batch and commits after each chunk. If it is
-- stopped, call it again and it continues. No report is rerun twice, also when two sessions run one batch.
-- A report that needs a row which somebody else holds is tried again at the end, and left if it still cannot be locked:
-- rerun_batch_refusals(batch_id, are_left => true) lists those. Call it again for them.
-- Over another connection rerun_batches(batch_id) tells how many reports are done.
-- Because it commits, it runs with the caller's rights, and only outside a transaction block; rerun_batch_chunk() does
-- the work.
-- result: {"batch_id", "reports", "rerun", "refused", "simulations_reset", "economy_cache_rows_deleted", "remaining"}:
-- of this call, but "remaining" are the reports of the batch that are neither rerun nor refused.
-- Raises 2D000 inside a transaction block, RR016 for a chunk_size that is not between 1 and 100000, RR017 when the
-- caller's token may not, RR018 no such batch, RR025 when the batch was cancelled, also meanwhile.
create or replace procedure public.run_rerun_batch(
  batch_id bigint, chunk_size integer default 1000, inout result jsonb default null
)
language plpgsql
as $$
declare
  chunk     jsonb;
  after     bigint;
  before    bigint;
  remaining bigint;
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

  result := jsonb_build_object('batch_id', run_rerun_batch.batch_id, 'reports', 0, 'rerun', 0, 'refused', 0,
    'simulations_reset', 0, 'economy_cache_rows_deleted', 0);
  loop
    after := null;
    loop
      chunk := public.rerun_batch_chunk(run_rerun_batch.batch_id, run_rerun_batch.chunk_size, after);
      commit;
      perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      after := (chunk ->> 'after')::bigint;
      exit when after is null;
      result := pgreprise.add_counts(result, chunk);
    end loop;

    -- Once more for those that were left, as long as that helps.
    remaining := (select batch.remaining from public.rerun_batches(run_rerun_batch.batch_id) as batch);
    exit when remaining = 0 or remaining = before;
    before := remaining;
  end loop;
  result := result || jsonb_build_object('remaining', remaining);
end;
$$;

comment on procedure public.run_rerun_batch is
'Reruns the reports of a batch and commits after each chunk; call it again to continue after it was stopped.';

grant execute on procedure public.run_rerun_batch(bigint, integer, jsonb) to pgreprise_dba;
