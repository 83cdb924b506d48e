-- logical_shard: the 64 logical shards, and whether this server has their rows; no rows in a database that is no shard.
-- held: the rows are here, and may be read and written. leaving: they are here and may be read, while they are copied
-- to another server. left: another server has them, and this one keeps a copy that nobody sees (schema
-- pgreprise_moved). absent: they are not here.
create table pgreprise.logical_shard (
  logical_shard integer not null,
  state text not null,
  changed_at timestamptz not null default now(),
  move_number bigint not null default 0,
  went_to text,
  constraint logical_shard_pkey primary key (logical_shard),
  constraint logical_shard_number_check check (logical_shard between 0 and 63),
  constraint logical_shard_state_check check (state in ('held', 'leaving', 'left', 'absent'))
);

comment on table pgreprise.logical_shard is 'The logical shards, and which of them this server holds.';
comment on column pgreprise.logical_shard.state is 'held, leaving, left or absent';
comment on column pgreprise.logical_shard.move_number is
'how often the logical shard had been moved when it came here: the greatest of all servers is the newest';
comment on column pgreprise.logical_shard.went_to is
'the name of the server for which it left here the last time; null where it is here, or never was';

grant select, update on table pgreprise.logical_shard to pgreprise_owner;
