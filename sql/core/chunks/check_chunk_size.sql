-- check_chunk_size(chunk_size): refuses a chunk of nothing, and one that would be a batch of its own.
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
      message = 'A chunk has 1 to 100000 rows.',
      detail = jsonb_build_object('chunk_size', check_chunk_size.chunk_size),
      hint = 'Leave it out for the default. Each chunk is one transaction and holds its locks until it has committed.';
  end if;
end;
$$;

comment on function pgreprise.check_chunk_size(integer) is 'Refuses a chunk size that cannot be worked with (RR016).';
