-- undo_rerun_batch(batch_id, force, chunk_size, reason, result): undoes the reruns of a batch, newest first, and
-- commits after each chunk. Reruns that cannot be undone because later results are in the way are counted and not
-- changed. For those call it again later, or with force (see undo_rerun). Those that need a row which somebody else
-- holds are counted as left: call it again.
-- Because it commits, it runs with the caller's rights, and only outside a transaction block; undo_batch_chunk() does
-- the work.
-- result: {"batch_id", "reruns", "undone", "refused", "left"} of this call.
-- Raises 2D000 inside a transaction block, RR016 for a chunk_size that is not between 1 and 100000, RR017 when the
-- caller's token may not, or may not use force, RR018 no such batch.
create or replace procedure public.undo_rerun_batch(
  batch_id bigint, force boolean default false, chunk_size integer default 100, reason text default null,
  inout result jsonb default null
)
language plpgsql
as $$
declare
  chunk  jsonb;
  before bigint;
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

  result := jsonb_build_object('batch_id', undo_rerun_batch.batch_id, 'reruns', 0, 'undone', 0, 'refused', 0,
    'left', 0);
  loop
    chunk := public.undo_batch_chunk(undo_rerun_batch.batch_id, before, undo_rerun_batch.force,
      undo_rerun_batch.chunk_size, undo_rerun_batch.reason);
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    exit when chunk ->> 'reruns' = '0';
    before := (chunk ->> 'before')::bigint;
    result := pgreprise.add_counts(
      result, chunk || jsonb_build_object('refused', jsonb_array_length(chunk -> 'refused'),
        'left', jsonb_array_length(chunk -> 'left'))
    );
  end loop;
end;
$$;

comment on procedure public.undo_rerun_batch is
'Undoes the reruns of a batch, newest first, and commits after each chunk.';

grant execute on procedure public.undo_rerun_batch(bigint, boolean, integer, text, jsonb) to pgreprise_dba;
