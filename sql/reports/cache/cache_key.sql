-- cache_key: what identifies the economy cache rows of a report, all but their version: the request that the report
-- made. dataset is the dataset of the request. economy_cache_key() makes the key from a report; report_cache_rows()
-- finds the rows.
create type pgreprise.cache_key as (
  country_id text,
  baseline_policy_id bigint,
  reform_policy_id bigint,
  region text,
  dataset text,
  time_period text
);
