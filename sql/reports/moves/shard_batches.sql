-- shard_batches(): the batches of this server, as add_batches() of another one takes them: acts and refusals that are
-- moved there name them. Without figures, which are those of this server.
create or replace function pgreprise.shard_batches()
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(jsonb_agg(
        to_jsonb(batch) || jsonb_build_object('reports', 0, 'rerun', 0, 'refused', 0) order by batch.batch_id
      ), '[]')
      from pgreprise.rerun_batch as batch
  );
end;
$$;

comment on function pgreprise.shard_batches() is 'The batches of this server, for another one that gets acts of them.';
