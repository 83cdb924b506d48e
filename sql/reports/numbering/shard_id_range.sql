-- shard_id_range: in which logical shard the rows are that had their ids before the database became a shard. Ids of one
-- kind that follow each other and lie in one logical shard are one range, which lasts until the next begins: every id
-- of before is in one, also of a row that does not exist. All servers have the same ranges.
create table pgreprise.shard_id_range (
  kind text not null,
  first_id bigint not null,
  last_id bigint not null,
  logical_shard integer not null,
  constraint shard_id_range_pkey primary key (kind, first_id),
  constraint shard_id_range_kind_check check (kind in ('report', 'simulation', 'reform_impact', 'rerun')),
  constraint shard_id_range_ids_check check (first_id <= last_id),
  constraint shard_id_range_number_check check (logical_shard between 0 and 63)
);

comment on table pgreprise.shard_id_range is
'The logical shards of rows that had their ids before the database became a shard.';

grant select on table pgreprise.shard_id_range to pgreprise_owner;
