-- freeze_logical_shard(logical_shard): the first step of a move: from now on nobody can write rows of this logical
-- shard here. It waits for transactions that are writing; reading goes on. thaw_logical_shard() takes it back.
-- Once more is the same as once.
-- Every act gets its position in the feed, so that readers get those that leave, too.
-- Raises 55000 when it is not held here, a batch is unfinished, or a worker holds a claim of it.
create or replace function pgreprise.freeze_logical_shard(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  trigger_name constant text := 'pgreprise_frozen_' || to_char(freeze_logical_shard.logical_shard, 'fm00');
  problem text;
  listed  record;
begin
  -- Reports first, as everybody who writes does; then nobody waits for this while this waits for them.
  lock table public.report_outputs, public.simulations, pgreprise.claim, public.reform_impact, pgreprise.rerun
    in share row exclusive mode;
  if pgreprise.require_state(freeze_logical_shard.logical_shard, array['held', 'leaving'], 'leave') = 'leaving' then
    return;
  end if;

  problem := (
    select format('Batch #%s is not finished. Let it end, or cancel it.', batch.batch_id)
      from pgreprise.rerun_batch as batch
     where batch.finished_at is null and batch.cancelled_at is null
     order by batch.batch_id
     limit 1
  );
  problem := coalesce(problem, (
    select format('Worker %s holds report #%s. Wait, or cancel the run: select cancel_run(%2$s)', claim.worker,
        claim.report_id)
      from pgreprise.claim as claim
     where claim.ended_at is null
       and pgreprise.id_shard('report', claim.report_id) = freeze_logical_shard.logical_shard
     order by claim.report_id
     limit 1
  ));
  if problem is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Logical shard %s cannot leave yet.', freeze_logical_shard.logical_shard),
      detail = jsonb_build_object('logical_shard', freeze_logical_shard.logical_shard, 'problem', problem),
      hint = problem;
  end if;

  perform pgreprise.number_all_acts();
  for listed in
    select known.table_name, known.shard, exists (
        select from pg_trigger as earlier
         where earlier.tgrelid = known.table_name::regclass and earlier.tgname = own.trigger_name
      ) as has_trigger
      from pgreprise.shard_tables() as known
     order by known.place
  loop
    if listed.has_trigger then
      execute format('alter table %s enable trigger %I', listed.table_name, trigger_name);
    else
      execute format('create trigger %I before insert or update or delete on %s for each row '
        'execute function pgreprise.refuse_leaving(%L, %L)', trigger_name, listed.table_name, listed.shard,
        freeze_logical_shard.logical_shard);
    end if;
  end loop;
  update pgreprise.logical_shard as known
     set state = 'leaving', changed_at = now()
   where known.logical_shard = freeze_logical_shard.logical_shard;
end;
$$;

comment on function pgreprise.freeze_logical_shard(integer) is
'The first step of a move: nobody can write rows of this logical shard any more.';
