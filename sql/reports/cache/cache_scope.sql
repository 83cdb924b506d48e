-- cache_scope(cache_key, api_version): the scope of economy cache rows that an act has emptied, as the acts and the
-- feed name it: {"country_id", "baseline_policy_id", "reform_policy_id", "region", "dataset", "time_period",
-- "api_version"}. These seven values are also what the application's cache outside the database is keyed by.
create or replace function pgreprise.cache_scope(cache_key pgreprise.cache_key, api_version text)
returns jsonb
language sql
stable
begin atomic
  select jsonb_build_object(
    'country_id', (cache_scope.cache_key).country_id,
    'baseline_policy_id', (cache_scope.cache_key).baseline_policy_id,
    'reform_policy_id', (cache_scope.cache_key).reform_policy_id,
    'region', (cache_scope.cache_key).region,
    'dataset', (cache_scope.cache_key).dataset,
    'time_period', (cache_scope.cache_key).time_period,
    'api_version', cache_scope.api_version
  ) as scope;
end;

comment on function pgreprise.cache_scope(pgreprise.cache_key, text) is
'The scope of economy cache rows that an act has emptied, as JSON.';
