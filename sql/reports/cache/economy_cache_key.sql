-- economy_cache_key(values of a report and its simulations): the key of the economy cache rows of a report, all but
-- their version. This is the only place that says which request a report makes: the country and the year are the
-- report's; the region is the population of simulation 1; the baseline is the policy of simulation 1; the reform is
-- the policy of simulation 2, or of simulation 1 where there is only one; the dataset is that of the report's
-- specification, or 'default'.
create or replace function pgreprise.economy_cache_key(
  report_country_id text,
  report_year text,
  population_id_1 text,
  policy_id_1 bigint,
  policy_id_2 bigint,
  dataset text
)
returns pgreprise.cache_key
language sql
immutable
begin atomic
  select row(
    economy_cache_key.report_country_id,
    economy_cache_key.policy_id_1,
    coalesce(economy_cache_key.policy_id_2, economy_cache_key.policy_id_1),
    pgreprise.population_region(economy_cache_key.report_country_id, economy_cache_key.population_id_1),
    coalesce(nullif(economy_cache_key.dataset, ''), 'default'),
    economy_cache_key.report_year
  )::pgreprise.cache_key as cache_key;
end;

comment on function pgreprise.economy_cache_key(text, text, text, bigint, bigint, text) is
'The key, all but the version, of the economy cache rows of a report with these values.';
