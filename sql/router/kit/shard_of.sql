-- shard_of(kind, id): the logical shard that is asked about a row. An id that nobody had is asked of the first one,
-- which says so.
create or replace function pgreprise.shard_of(kind text, id bigint)
returns integer
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(pgreprise.id_shard(shard_of.kind, shard_of.id), 0);
end;
$$;

comment on function pgreprise.shard_of(text, bigint) is 'The logical shard that is asked about a row.';
