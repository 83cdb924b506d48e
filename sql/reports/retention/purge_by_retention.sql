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
  chunk     jsonb;
  after     bigint := 0;
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

  select settings.older_than, settings.keep_last into retention from public.archive_retention() as settings;
  if retention.older_than is null then
    raise exception using
      errcode = 'RR026',
      message = 'Nothing says how long the archive is kept. Nothing was purged.',
      detail = jsonb_build_object(),
      hint = 'Set it: select set_setting(''archive_keep'', ''90 days''), or archive_keep_bytes.';
  end if;

  result := jsonb_build_object('reruns', 0, 'bytes', 0);
  loop
    chunk := public.purge_chunk(retention.older_than, retention.keep_last, after, purge_by_retention.chunk_size);
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    exit when chunk ->> 'after' is null;
    after := (chunk ->> 'after')::bigint;
    result := pgreprise.add_counts(result, chunk);
  end loop;
end;
$$;

comment on procedure public.purge_by_retention is
'Deletes the archived outputs that the settings archive_keep and archive_keep_bytes do not keep, in chunks.';

grant execute on procedure public.purge_by_retention(integer, jsonb) to pgreprise_dba;
