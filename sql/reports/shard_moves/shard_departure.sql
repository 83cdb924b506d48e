-- shard_departure(logical_shard): what the server to which a logical shard moves has to know besides its rows:
-- {"first_id", "hash_version", "id_ranges", "last_number", "batches"}. id_ranges is a checksum of shard_id_range;
-- last_number is the last one that the sequence has given, or null; batches are the rows of pgreprise.rerun_batch, with
-- the counts of the reports that move.
-- Raises 55000 when it is neither leaving nor has left.
create or replace function pgreprise.shard_departure(logical_shard integer)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  batches jsonb;
begin
  perform pgreprise.require_state(shard_departure.logical_shard, array['leaving', 'left'], 'be copied');
  execute format(
    'select coalesce(jsonb_agg(to_jsonb(batch) || jsonb_build_object('
    '''reports'', counted.reports, ''rerun'', counted.rerun, ''refused'', counted.refused)), ''[]'') '
    'from pgreprise.rerun_batch as batch '
    'join (select listed.batch_id, count(*) as reports, count(*) filter (where listed.state = ''rerun'') as rerun, '
    'count(*) filter (where listed.state = ''refused'') as refused from (%s) as listed group by listed.batch_id) '
    'as counted on counted.batch_id = batch.batch_id',
    pgreprise.shard_source('pgreprise.rerun_batch_item', shard_departure.logical_shard, 'moved.batch_id, moved.state')
  ) into batches;
  return jsonb_build_object(
    'first_id', (select numbering.first_id from pgreprise.shard_numbering as numbering),
    'hash_version', (select numbering.hash_version from pgreprise.shard_numbering as numbering),
    'id_ranges', pgreprise.ranges_checksum(),
    'last_number', pg_sequence_last_value(
      format('pgreprise.shard_ids_%s', to_char(shard_departure.logical_shard, 'fm00'))::regclass
    ),
    'batches', batches
  );
end;
$$;

comment on function pgreprise.shard_departure(integer) is
'What the server to which a logical shard moves has to know besides its rows.';
