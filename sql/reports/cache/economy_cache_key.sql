-- economy_cache_key(report and simulation values): the key of the economy cache rows of one report,
-- everything but their version. The one place that says how a report finds its cache: country and year
-- are the report's; the region is the population of simulation 1; the baseline is the policy of
-- simulation 1, the reform that of simulation 2, or else of simulation 1; dataset 'default' and
-- options_hash '[]'. This holds for reports that the current application made, not for every
-- historical caller: rows that were computed with another dataset or other options are not found.
create or replace function pgreprise.economy_cache_key(
  report_country_id text,
  report_year text,
  population_id_1 text,
  policy_id_1 bigint,
  policy_id_2 bigint
)
returns table (
  country_id text, baseline_policy_id bigint, reform_policy_id bigint, region text,
  dataset text, time_period text, options_hash text
)
language sql
immutable
begin atomic
  select
    economy_cache_key.report_country_id as country_id,
    economy_cache_key.policy_id_1 as baseline_policy_id,
    coalesce(economy_cache_key.policy_id_2, economy_cache_key.policy_id_1) as reform_policy_id,
    economy_cache_key.population_id_1 as region,
    'default' as dataset,
    economy_cache_key.report_year as time_period,
    '[]' as options_hash;
end;

comment on function pgreprise.economy_cache_key(text, text, text, bigint, bigint) is
'The key, all but the version, of the economy cache rows of a report with these values.';
