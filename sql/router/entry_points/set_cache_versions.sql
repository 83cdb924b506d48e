-- set_cache_versions(...): as on a server, on all of them (see set_everywhere).
-- Raises what it raises there, RR035 when a server cannot be reached.
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
begin
  perform pgreprise.set_everywhere(
    format('The versions of %s', set_cache_versions.country_id), 'set_cache_versions',
    array[set_cache_versions.country_id, set_cache_versions.economy_impact, set_cache_versions.report_output,
      set_cache_versions.package]
  );
end;
$$;
