-- shard_facts(): what servers behind one router have to have in common, and what this one holds, for the doctor of the
-- router: {"routines": checksum by name, "settings": value by name, "versions": those of each country, "hash_version",
-- "first_id", "held": the logical shards}. hash_version and first_id are null in a database that is no shard.
create or replace function pgreprise.shard_facts()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_build_object(
    'routines', (
      select jsonb_object_agg(registered.name, registered.checksum) from pgreprise.routine_version as registered
    ),
    'settings', (
      select to_jsonb(setting.*) - 'only_row' - 'updated_at' - 'has_run_tables' from pgreprise.setting as setting
    ),
    'versions', (
      select jsonb_object_agg(country.country_id, jsonb_build_array(country.economy_impact_version,
          country.report_output_version, country.package_version))
        from pgreprise.country as country
    ),
    'hash_version', (select numbering.hash_version from pgreprise.shard_numbering as numbering),
    'first_id', (select numbering.first_id from pgreprise.shard_numbering as numbering),
    'held', (
      select coalesce(jsonb_agg(known.logical_shard order by known.logical_shard), '[]')
        from pgreprise.logical_shard as known
       where known.state in ('held', 'leaving')
    )
  );
end;
$$;

comment on function pgreprise.shard_facts() is
'What servers behind one router have to have in common, and what this one holds.';
