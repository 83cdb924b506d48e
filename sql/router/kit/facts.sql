-- facts(logical_shard): what the server of a logical shard says of itself (shard_facts).
create or replace function pgreprise_remote.facts(logical_shard integer)
returns table (facts jsonb)
language plproxy
as $$
  cluster 'pgreprise';
  run on logical_shard;
  select * from pgreprise_shard.facts();
$$;

comment on function pgreprise_remote.facts(integer) is 'What the server of a logical shard says of itself.';
