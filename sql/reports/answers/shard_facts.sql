-- shard_facts(): what has to be the same on all servers of a router, and what each says of the logical shards:
-- {"revisions", "routines": {name: {"version", "checksum"}}, "settings", "countries", "numbering", "held": [...],
-- "unfinished": [{"logical_shard", "state", "hours"}], "server_version"}. The doctor of the router compares them.
create or replace function pgreprise.shard_facts()
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_build_object(
    'revisions', pgreprise.status() -> 'revisions',
    'routines', (
      select jsonb_object_agg(registered.name,
          jsonb_build_object('version', registered.version, 'checksum', registered.checksum))
        from pgreprise.routine_version as registered
    ),
    'settings', (select to_jsonb(setting) - 'updated_at' - 'only_row' from pgreprise.setting as setting),
    'countries', (
      select jsonb_object_agg(country.country_id, jsonb_build_object('economy_impact', country.economy_impact_version,
          'report_output', country.report_output_version, 'package', country.package_version))
        from pgreprise.country as country
    ),
    'numbering', (
      select jsonb_build_object('first_id', numbering.first_id, 'hash_version', numbering.hash_version,
          'ranges', (select md5(string_agg(known::text, ' ' order by known.kind, known.first_id))
            from pgreprise.shard_id_range as known))
        from pgreprise.shard_numbering as numbering
    ),
    'held', (
      select coalesce(jsonb_agg(known.logical_shard order by known.logical_shard), '[]')
        from pgreprise.logical_shard as known
       where known.state in ('held', 'leaving')
    ),
    'unfinished', (
      select coalesce(jsonb_agg(jsonb_build_object('logical_shard', known.logical_shard, 'state', known.state,
          'hours', floor(extract(epoch from clock_timestamp() - known.changed_at) / 3600))
          order by known.logical_shard), '[]')
        from pgreprise.logical_shard as known
       where known.state in ('leaving', 'left')
    ),
    'server_version', current_setting('server_version')
  );
end;
$$;

comment on function pgreprise.shard_facts() is
'What has to be the same on all servers of a router, and what each says of the logical shards.';
