-- claim_shard(claim_id): the logical shard of a claim that was made on a shard: the last six bits of its id.
create or replace function pgreprise.claim_shard(claim_id uuid)
returns integer
language sql
immutable
begin atomic
  select get_byte(uuid_send(claim_shard.claim_id), 15) & 63 as logical_shard;
end;

comment on function pgreprise.claim_shard(uuid) is 'The logical shard of a claim that was made on a shard.';
