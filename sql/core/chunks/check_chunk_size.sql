-- check_chunk_size(chunk_size): refuses a chunk size that is null or not between 1 and 100000.
-- Raises RR016.
create or replace function pgreprise.check_chunk_size(chunk_size integer)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if check_chunk_size.chunk_size is null or check_chunk_size.chunk_size not between 1 and 100000 then
    raise exception using
      errcode = 'RR016',
      message = 'chunk_size must be between 1 and 100000.',
      detail = jsonb_build_object('chunk_size', check_chunk_size.chunk_size),
      hint = 'Leave it out for the default. Each chunk is one transaction, and it holds its locks until it commits.';
  end if;
end;
$$;

comment on function pgreprise.check_chunk_size(integer) is
'Refuses a chunk size that is not between 1 and 100000 (RR016).';
