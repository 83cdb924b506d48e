-- set_cache_versions(country_id, economy_impact, report_output, package): sets the versions that are current for a
-- country; null leaves a version as it is. Each deployment calls it: a rerun deletes only economy cache rows of the
-- current version, so after a deployment that forgets this call it deletes none.
-- Raises RR008 for an unknown country, RR016 for a version that does not fit into an api_version column, RR017 when
-- the caller's token may not.
create or replace function public.set_cache_versions(
  country_id text,
  economy_impact text default null,
  report_output text default null,
  package text default null
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  refused text;
begin
  perform pgreprise.enter('reports:write');
  perform pgreprise.require_country(set_cache_versions.country_id);

  select format('%s => %L', given.name, given.version) into refused
    from (
      values
        ('economy_impact', set_cache_versions.economy_impact),
        ('report_output', set_cache_versions.report_output),
        ('package', set_cache_versions.package)
    ) as given(name, version)
   where given.version = '' or length(given.version) > 10
   limit 1;
  if found then
    raise exception using
      errcode = 'RR016',
      message = format('%s is not a version: a version has 1 to 10 characters.', refused),
      detail = jsonb_build_object('country_id', set_cache_versions.country_id),
      hint = 'api_version columns hold at most 10 characters. Pass null to leave a version as it is.';
  end if;

  update pgreprise.country as country
     set economy_impact_version = coalesce(set_cache_versions.economy_impact, country.economy_impact_version),
         report_output_version = coalesce(set_cache_versions.report_output, country.report_output_version),
         package_version = coalesce(set_cache_versions.package, country.package_version),
         updated_at = now()
   where country.country_id = set_cache_versions.country_id;
end;
$$;

comment on function public.set_cache_versions(text, text, text, text) is
'Sets the current cache and package versions of a country; null leaves a version as it is.';

grant execute on function public.set_cache_versions(text, text, text, text) to pgreprise_dba;
