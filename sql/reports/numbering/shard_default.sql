-- shard_default: how the columns of the host got their ids before the database became a shard: the statement that gives
-- each column that way back. A downgrade types it.
create table pgreprise.shard_default (
  table_name text not null,
  column_name text not null,
  statement text not null,
  constraint shard_default_pkey primary key (table_name, column_name)
);

comment on table pgreprise.shard_default is
'How the application''s columns got their ids before the database became a shard.';

grant select on table pgreprise.shard_default to pgreprise_owner;
