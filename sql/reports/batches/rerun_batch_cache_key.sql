-- rerun_batch_cache_key: the economy cache keys whose rows a batch has deleted. Rows that have such a key later were
-- computed after that, so a later chunk keeps them. An undo deletes what it puts back.
create table pgreprise.rerun_batch_cache_key (
  batch_id bigint not null,
  country_id text not null,
  baseline_policy_id bigint not null,
  reform_policy_id bigint not null,
  region text not null,
  dataset text not null,
  time_period text not null,
  api_version text not null,
  constraint rerun_batch_cache_key_pkey primary key (
    batch_id, country_id, baseline_policy_id, reform_policy_id, region, dataset, time_period, api_version
  )
);

comment on table pgreprise.rerun_batch_cache_key is 'The economy cache keys whose rows a batch has deleted.';

grant select, insert, delete on table pgreprise.rerun_batch_cache_key to pgreprise_owner;
