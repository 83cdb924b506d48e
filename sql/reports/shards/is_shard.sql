-- is_shard(): whether this database is a shard of several servers (prepare_shard has made it one).
-- Written in SQL so that PostgreSQL inlines it: elsewhere it costs nearly nothing.
create or replace function pgreprise.is_shard()
returns boolean
language sql
stable
begin atomic
  select to_regclass('pgreprise.shard_ids_00') is not null as is_shard;
end;

comment on function pgreprise.is_shard() is 'Whether this database is a shard of several servers.';
