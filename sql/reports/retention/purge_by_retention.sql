-- purge_by_retention(chunk_size, result): deletes the archived outputs that the settings archive_keep and
-- archive_keep_bytes do not keep (archive_retention), and commits after each chunk, as purge_runs() does. For a timer.
-- Because it commits, it runs with the caller's rights, and only outside a transaction block; purge_chunk() does the
-- work.
-- result: {"reruns": whose outputs were deleted, "bytes": of stored output}.
-- Raises 2D000 inside a transaction block, RR016 for an impossible chunk_size, RR017 for a caller who may not purge,
-- RR026 when neither setting is set.
create or replace procedure public.purge_by_retention(
  chunk_size integer default 1000, inout result jsonb default null
)
language plpgsql
as $$
declare
  retention record;
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

  select settings.older_than, settings.keep_last into retention
    from public.archive_retention(is_required => true) as settings;
  call pgreprise.purge_in_chunks(retention.older_than, retention.keep_last, purge_by_retention.chunk_size, result);
end;
$$;

comment on procedure public.purge_by_retention is
'Deletes the archived outputs that the settings archive_keep and archive_keep_bytes do not keep, in chunks.';

grant execute on procedure public.purge_by_retention(integer, jsonb) to pgreprise_dba;
