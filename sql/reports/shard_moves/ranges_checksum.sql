-- ranges_checksum(): a checksum of shard_id_range, which is to be the same on all servers.
create or replace function pgreprise.ranges_checksum()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
  select md5(coalesce(string_agg(listed.words, ',' order by listed.words), '')) as checksum
  from (
    select concat_ws(' ', known.kind, known.first_id, known.last_id, known.logical_shard) as words
    from pgreprise.shard_id_range as known
  ) as listed;
end;

comment on function pgreprise.ranges_checksum() is 'A checksum of shard_id_range, the same on all servers.';
