-- left_act: acts whose logical shard has left this server, as the feed shows them, with their positions in the feed of
-- this server: readers that have not come to them yet find them here. The rows of rerun are on the other server, whose
-- feed does not show them again (their position there is below 0).
create table pgreprise.left_act (
  feed_position bigint not null,
  rerun_id bigint not null,
  kind text not null,
  report_id bigint,
  country_id text,
  report_type text,
  run_sequence integer,
  of_run integer,
  simulation_ids bigint[] not null,
  simulation_run_sequences integer[] not null,
  batch_id bigint,
  actor text,
  created_at timestamptz not null,
  undone_by bigint,
  cache_scopes jsonb not null,
  constraint left_act_pkey primary key (feed_position)
);

comment on table pgreprise.left_act is
'Acts whose logical shard has left this server, for readers of the feed that have not come to them yet.';

grant select on table pgreprise.left_act to pgreprise_owner;
