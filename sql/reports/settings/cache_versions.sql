-- cache_versions(): the countries and their current versions, by country. A version is null while
-- set_cache_versions() has never set it. Changes nothing.
-- Raises RR017 when the caller's token may not read.
create or replace function public.cache_versions()
returns table (
  country_id text, economy_impact text, report_output text, package text, updated_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select country.country_id, country.economy_impact_version, country.report_output_version,
        country.package_version, country.updated_at
      from pgreprise.country as country
     order by country.country_id;
end;
$$;

comment on function public.cache_versions() is 'The current cache and package versions of each country.';

grant execute on function public.cache_versions() to pgreprise_reader, pgreprise_api, pgreprise_dba;
