-- shard_batches(logical_shard): the batches of this server, as add_batches() of another one takes them: what is moved
-- there names them. The counts are those of the reports of the logical shard.
create or replace function pgreprise.shard_batches(logical_shard integer)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  counts  jsonb;
  has_left constant boolean := exists (
    select from pgreprise.logical_shard as known
     where known.logical_shard = shard_batches.logical_shard and known.state = 'left'
  );
begin
  execute format(
    'select jsonb_object_agg(counted.batch_id, to_jsonb(counted) - ''batch_id'') from ('
    'select moved.batch_id, count(*) as reports, count(*) filter (where moved.state = ''rerun'') as rerun, '
    'count(*) filter (where moved.state = ''refused'') as refused from %s as moved where %s group by moved.batch_id) '
    'as counted',
    case
      when has_left then pgreprise.kept_table('pgreprise.rerun_batch_item', shard_batches.logical_shard)
      else 'pgreprise.rerun_batch_item'
    end,
    case
      when has_left then 'true'
      else pgreprise.shard_condition('pgreprise.rerun_batch_item', shard_batches.logical_shard)
    end
  ) into counts;
  return (
    select coalesce(jsonb_agg(
        to_jsonb(batch) || coalesce(own.counts -> batch.batch_id::text,
          jsonb_build_object('reports', 0, 'rerun', 0, 'refused', 0)) order by batch.batch_id
      ), '[]')
      from pgreprise.rerun_batch as batch
  );
end;
$$;

comment on function pgreprise.shard_batches(integer) is
'The batches of this server, for another one that gets a logical shard.';
