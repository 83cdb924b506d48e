-- raise_version_unknown(country_id, version_name): refuses to create a row of a country whose current report_output or
-- package version was never set.
-- Raises RR009, always.
create or replace function pgreprise.raise_version_unknown(country_id text, version_name text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR009',
    message = format('Country %s has no current %s version. A new row needs one.',
      raise_version_unknown.country_id, raise_version_unknown.version_name),
    detail = jsonb_build_object('country_id', raise_version_unknown.country_id,
      'version', raise_version_unknown.version_name),
    hint = format('Set it: select set_cache_versions(%L, %s => ''<version>'')',
      raise_version_unknown.country_id, raise_version_unknown.version_name);
end;
$$;

comment on function pgreprise.raise_version_unknown(text, text) is 'Raises RR009.';
