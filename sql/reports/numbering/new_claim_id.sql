-- new_claim_id(logical_shard): the id of a claim that is about to be made: a random one. On a shard its last six bits
-- are the logical shard (claim_shard).
-- Written in SQL so that PostgreSQL inlines it: only on a shard is the argument evaluated.
create or replace function pgreprise.new_claim_id(logical_shard integer)
returns uuid
language sql
volatile
begin atomic
  select case
    when pgreprise.is_shard() then pgreprise.marked_uuid(gen_random_uuid(), new_claim_id.logical_shard)
    else gen_random_uuid()
  end as claim_id;
end;

comment on function pgreprise.new_claim_id(integer) is 'The id of a claim that is about to be made.';
