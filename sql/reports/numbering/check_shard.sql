-- check_shard(logical_shards, first_id, needed_id): may this database become a shard that holds these logical shards,
-- with ids from first_id on? needed_id is more than every id that it has given.
-- Raises 55000 with what stands in the way, foreign keys too (check_moved_keys); 22023 for logical shards or a first id
-- that cannot be.
create or replace function pgreprise.check_shard(logical_shards integer[], first_id bigint, needed_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  problem text;
  remedy  text;
begin
  if exists (select from unnest(check_shard.logical_shards) as given(id)
    where given.id is null or given.id not between 0 and 63)
    or check_shard.first_id % 64 <> 0
  then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = 'Logical shards are numbers from 0 to 63, and the first id is a multiple of 64.',
      detail = jsonb_build_object('logical_shards', check_shard.logical_shards, 'first_id', check_shard.first_id),
      hint = 'Leave both out for a database that holds all of them.';
  end if;

  if pgreprise.is_shard() then
    problem := 'This database is a shard already.';
    remedy := 'Nothing is to be done: select * from pgreprise.logical_shard;';
  elsif check_shard.first_id < check_shard.needed_id then
    problem := format('The first id would be %s, and ids up to %s are taken.', check_shard.first_id,
      check_shard.needed_id - 1);
    remedy := format('Use a multiple of 64 that is at least %s, on every server.', check_shard.needed_id);
  elsif exists (
    select from pgreprise.rerun_batch as batch where batch.finished_at is null and batch.cancelled_at is null
  ) then
    problem := 'A batch is not finished.';
    remedy := 'Let it end, or cancel it: select * from rerun_batches();';
  elsif exists (select from pgreprise.claim as claim where claim.ended_at is null) then
    problem := 'Workers hold claims, whose ids do not tell a logical shard.';
    remedy := 'Let the workers finish and stop them: select * from open_claims();';
  elsif cardinality(check_shard.logical_shards) < 64 and (
    exists (select from public.simulations) or exists (select from public.report_outputs)
    or exists (select from public.reform_impact) or exists (select from pgreprise.rerun)
  ) then
    problem := 'A database with rows begins as the shard that holds all logical shards.';
    remedy := 'Prepare it with all of them, and move some to other servers then.';
  end if;
  if problem is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state', message = problem, detail = jsonb_build_object(), hint = remedy;
  end if;
  perform pgreprise.check_moved_keys();
end;
$$;

comment on function pgreprise.check_shard(integer[], bigint, bigint) is
'Refuses what stands in the way of becoming a shard.';
