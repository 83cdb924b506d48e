-- ranges_checksum(): a checksum of shard_id_range, which is to be the same on all servers.
create or replace function pgreprise.ranges_checksum()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
  select md5(coalesce(string_agg(
    concat_ws(' ', range.kind, range.first_id, range.last_id, range.logical_shard), ',' order by range.kind,
    range.first_id
  ), '')) as checksum
    from pgreprise.shard_id_range as range;
end;

comment on function pgreprise.ranges_checksum() is 'A checksum of shard_id_range, the same on all servers.';
