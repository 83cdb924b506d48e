-- cache_key: what identifies the economy cache rows of a report, all but their version. economy_cache_key() makes it
-- from a report; report_cache_rows() finds the rows.
create type pgreprise.cache_key as (
  country_id text,
  baseline_policy_id bigint,
  reform_policy_id bigint,
  region text,
  dataset text,
  time_period text,
  options_hash text
);
