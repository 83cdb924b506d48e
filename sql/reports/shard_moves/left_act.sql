-- left_act: what the feed tells of acts whose logical shard has moved to another server since. They keep their
-- positions here, so that each reader sees them once; forget_logical_shard() deletes them.
create table pgreprise.left_act (
  feed_position bigint not null,
  logical_shard integer not null,
  rerun_id bigint not null,
  kind text not null,
  report_id bigint,
  country_id text,
  report_type text,
  run_sequence integer,
  simulation_ids bigint[] not null,
  simulation_run_sequences integer[] not null,
  batch_id bigint,
  actor text,
  created_at timestamptz not null,
  undone boolean not null,
  cache_scopes jsonb not null,
  constraint left_act_pkey primary key (feed_position)
);

comment on table pgreprise.left_act is
'What the feed tells of acts whose logical shard has moved to another server since.';

grant select on table pgreprise.left_act to pgreprise_owner;
