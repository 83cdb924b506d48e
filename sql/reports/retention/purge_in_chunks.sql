-- purge_in_chunks(older_than, keep_last, chunk_size, result): calls purge_chunk() until nothing is left to purge, and
-- commits after each chunk. purge_runs() and purge_by_retention() call it, after they have refused a transaction block.
-- result: {"reruns": whose outputs were deleted, "bytes": of stored output}.
-- Raises what purge_chunk() raises.
create or replace procedure pgreprise.purge_in_chunks(
  older_than interval, keep_last integer, chunk_size integer, inout result jsonb default null
)
language plpgsql
as $$
declare
  chunk jsonb;
  after bigint := 0;
begin
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  result := jsonb_build_object('reruns', 0, 'bytes', 0);
  loop
    chunk := public.purge_chunk(purge_in_chunks.older_than, purge_in_chunks.keep_last, after,
      purge_in_chunks.chunk_size);
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    exit when chunk ->> 'after' is null;
    after := (chunk ->> 'after')::bigint;
    result := pgreprise.add_counts(result, chunk);
  end loop;
end;
$$;

comment on procedure pgreprise.purge_in_chunks is 'Purges chunk by chunk, and commits after each.';

grant execute on procedure pgreprise.purge_in_chunks(interval, integer, integer, jsonb) to pgreprise_dba;
