-- purge_runs(older_than, keep_last, chunk_size, result): deletes archived outputs that are older than an interval, but
-- never those of the newest keep_last runs of a report that have an output. It commits after each chunk. If it is
-- stopped, call it again and it continues. The rows that tell what happened stay, and so do idempotency keys; what is
-- purged cannot be undone. Vacuum gives the space back.
-- Because it commits, it runs with the caller's rights, and only outside a transaction block; purge_chunk() does the
-- work.
-- result: {"reruns": whose outputs were deleted, "bytes": of stored output}.
-- Raises 2D000 inside a transaction block, RR016 for impossible values and for an age
-- below an hour that is not 0, RR017 for a caller who may not purge.
create or replace procedure public.purge_runs(
  older_than interval, keep_last integer default 1, chunk_size integer default 1000, inout result jsonb default null
)
language plpgsql
as $$
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  -- PostgreSQL reads '30' as seconds, and nobody means that.
  if purge_runs.older_than > interval '0' and purge_runs.older_than < interval '1 hour' then
    raise exception using
      errcode = 'RR016',
      message = format('older_than is %s, which is less than an hour. Nothing was purged.', purge_runs.older_than),
      detail = jsonb_build_object('older_than', purge_runs.older_than),
      hint = 'A number without a unit is seconds. Write the unit: call purge_runs(interval ''30 days'')';
  end if;

  call pgreprise.purge_in_chunks(purge_runs.older_than, purge_runs.keep_last, purge_runs.chunk_size, result);
end;
$$;

comment on procedure public.purge_runs is
'Deletes archived outputs that are older than an interval, in chunks; call purge_runs(interval ''30 days'').';

grant execute on procedure public.purge_runs(interval, integer, integer, jsonb) to pgreprise_dba;
