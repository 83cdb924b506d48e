-- scope_cache_rows(cache_key, api_version): all economy cache rows with the country, policies, region and year of a
-- key: id, version, status, start_time, dataset, options_hash, and whether the row is one of the report's
-- (is_of_report, by answers_request). Those that are not have other options or another dataset; a preview shows them.
-- This is the only place that compares a key with the columns of reform_impact. A null api_version means every
-- version. A null inside the key finds no row. It locks nothing: remove_reform_impacts() locks what it deletes.
create or replace function pgreprise.scope_cache_rows(cache_key pgreprise.cache_key, api_version text default null)
returns table (
  reform_impact_id bigint, version text, status text, start_time timestamp, dataset text, options_hash text,
  is_of_report boolean
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The rows are found by their key, so one plan is right for all values; callers for many reports plan each statement.
set plan_cache_mode = 'force_generic_plan'
as $$
begin
  return query
    select impact.reform_impact_id::bigint, impact.api_version::text, impact.status::text,
        impact.start_time::timestamp, impact.dataset::text, impact.options_hash::text,
        pgreprise.answers_request(impact.dataset, impact.options_hash, impact.api_version,
          (scope_cache_rows.cache_key).dataset)
      from public.reform_impact as impact
     where impact.country_id = (scope_cache_rows.cache_key).country_id
       and impact.baseline_policy_id = (scope_cache_rows.cache_key).baseline_policy_id
       and impact.reform_policy_id = (scope_cache_rows.cache_key).reform_policy_id
       and impact.region = (scope_cache_rows.cache_key).region
       and impact.time_period = (scope_cache_rows.cache_key).time_period
       and (scope_cache_rows.api_version is null or impact.api_version = scope_cache_rows.api_version);
end;
$$;

comment on function pgreprise.scope_cache_rows(pgreprise.cache_key, text) is
'All economy cache rows of a country, policies, region and year, and which of them are the report''s.';
