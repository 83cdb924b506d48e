-- new_act_id(logical_shard): the number of an act that is about to be done. On a shard it tells the logical shard.
-- Written in SQL so that PostgreSQL inlines it: only on a shard is the argument evaluated.
create or replace function pgreprise.new_act_id(logical_shard integer)
returns bigint
language sql
volatile
begin atomic
  select case
    when pgreprise.is_shard() then pgreprise.next_shard_id(new_act_id.logical_shard)
    else nextval('pgreprise.rerun_rerun_id_seq')
  end as rerun_id;
end;

comment on function pgreprise.new_act_id(integer) is 'The number of an act that is about to be done.';
