-- report_cache_rows(cache_key, api_version, statuses): the economy cache rows of a report, found by the key that
-- economy_cache_key() made: id, version, status and start_time. This is the only place that compares the key with the
-- columns of reform_impact.
-- A null api_version means every version, and null statuses mean every status. A null inside the key finds no row.
-- It locks nothing: remove_reform_impacts() locks what it deletes.
create or replace function pgreprise.report_cache_rows(
  cache_key pgreprise.cache_key, api_version text default null, statuses text[] default null
)
returns table (reform_impact_id bigint, version text, status text, start_time timestamp)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The rows are found by their key, so one plan is right for all values; callers for many reports plan each statement.
set plan_cache_mode = 'force_generic_plan'
as $$
begin
  return query
    select impact.reform_impact_id::bigint, impact.api_version::text, impact.status::text, impact.start_time::timestamp
      from public.reform_impact as impact
     where impact.country_id = (report_cache_rows.cache_key).country_id
       and impact.baseline_policy_id = (report_cache_rows.cache_key).baseline_policy_id
       and impact.reform_policy_id = (report_cache_rows.cache_key).reform_policy_id
       and impact.region = (report_cache_rows.cache_key).region
       and impact.dataset = (report_cache_rows.cache_key).dataset
       and impact.time_period = (report_cache_rows.cache_key).time_period
       and impact.options_hash = (report_cache_rows.cache_key).options_hash
       and (report_cache_rows.api_version is null or impact.api_version = report_cache_rows.api_version)
       and (report_cache_rows.statuses is null or impact.status = any (report_cache_rows.statuses));
end;
$$;

comment on function pgreprise.report_cache_rows(pgreprise.cache_key, text, text[]) is
'The economy cache rows of a report, by their key.';
