-- shard_numbering: how ids are given in this database, once it is a shard of several servers (prepare_shard); no row in
-- a database that is none. first_id is the first id that a shard has given: such an id is a number times 64 and the
-- logical shard. Lower ids are those of before, which shard_id_range lists. hash_version says which population_shard()
-- the rows lie by.
create table pgreprise.shard_numbering (
  only_row boolean not null default true,
  first_id bigint not null,
  hash_version integer not null,
  prepared_at timestamptz not null default now(),
  constraint shard_numbering_pkey primary key (only_row),
  constraint shard_numbering_only_row_check check (only_row),
  constraint shard_numbering_first_id_check check (first_id > 0 and first_id % 64 = 0)
);

comment on table pgreprise.shard_numbering is
'How ids are given once this database is a shard: one row, or none in a database that is no shard.';

grant select on table pgreprise.shard_numbering to pgreprise_owner;
