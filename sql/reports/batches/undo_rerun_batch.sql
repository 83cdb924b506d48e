-- undo_rerun_batch(batch_id, force, chunk_size, result): undo the reruns of a batch, newest first, and commit
-- after each chunk. Those that cannot be undone, because things have moved on since, are left alone and counted;
-- call it again, or with force (see undo_rerun), for the rest.
-- It commits, so it runs with the caller's rights and outside a transaction block only; the work is done by
-- undo_batch_chunk().
-- result: {"batch_id", "reruns", "undone", "refused"} of this call.
-- Raises 2D000 inside a transaction block, RR016 for a chunk_size that is not between 1 and 100000, RR017 force by
-- someone who may not, RR018 no such batch.
create or replace procedure public.undo_rerun_batch(
  batch_id bigint, force boolean default false, chunk_size integer default 100, inout result jsonb default null
)
language plpgsql
as $$
declare
  chunk  jsonb;
  before bigint;
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

  result := jsonb_build_object('batch_id', undo_rerun_batch.batch_id, 'reruns', 0, 'undone', 0, 'refused', 0);
  loop
    chunk := public.undo_batch_chunk(undo_rerun_batch.batch_id, before, undo_rerun_batch.force,
      undo_rerun_batch.chunk_size);
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    exit when chunk ->> 'reruns' = '0';
    before := (chunk ->> 'before')::bigint;
    result := pgreprise.add_counts(
      result, chunk || jsonb_build_object('refused', jsonb_array_length(chunk -> 'refused'))
    );
  end loop;
end;
$$;

comment on procedure public.undo_rerun_batch is
'Undoes the reruns of a batch, newest first, and commits after each chunk.';

grant execute on procedure public.undo_rerun_batch(bigint, boolean, integer, jsonb) to pgreprise_dba;
