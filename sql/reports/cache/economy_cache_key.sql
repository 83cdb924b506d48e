-- economy_cache_key(values of a report and its simulations): the key of the economy cache rows of a report, all but
-- their version. This is the only place that says how a report finds its cache: the country and the year are the
-- report's; the region is the population of simulation 1; the baseline is the policy of simulation 1; the reform is
-- the policy of simulation 2, or of simulation 1 where there is only one; the dataset is 'default', and options_hash
-- is '[]'.
-- This is right for reports of the current application, and not for every older caller: cache rows that were computed
-- with another dataset or with options are not found.
create or replace function pgreprise.economy_cache_key(
  report_country_id text,
  report_year text,
  population_id_1 text,
  policy_id_1 bigint,
  policy_id_2 bigint
)
returns pgreprise.cache_key
language sql
immutable
begin atomic
  select row(
    economy_cache_key.report_country_id,
    economy_cache_key.policy_id_1,
    coalesce(economy_cache_key.policy_id_2, economy_cache_key.policy_id_1),
    economy_cache_key.population_id_1,
    'default',
    economy_cache_key.report_year,
    '[]'
  )::pgreprise.cache_key as cache_key;
end;

comment on function pgreprise.economy_cache_key(text, text, text, bigint, bigint) is
'The key, all but the version, of the economy cache rows of a report with these values.';
