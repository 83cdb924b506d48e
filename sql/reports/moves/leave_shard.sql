-- leave_shard(logical_shard, went_to): takes the rows of a logical shard out of the tables, when another server, of the
-- name went_to, has a copy of them that is about to be committed. They are kept in schema pgreprise_moved until
-- forget_shard; where they went stays known after that.
-- Raises 55000 when the logical shard is not leaving, or when a trigger of the application keeps a row.
create or replace function pgreprise.leave_shard(logical_shard integer, went_to text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  -- Counted while they are here.
  batches constant jsonb := pgreprise.shard_batches(leave_shard.logical_shard);
  listed  record;
  kept    text;
  wanted  text;
  stays   boolean;
begin
  update pgreprise.logical_shard as known
     set state = 'left', changed_at = now(), went_to = leave_shard.went_to
   where known.logical_shard = leave_shard.logical_shard and known.state = 'leaving';
  if not found then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Logical shard %s is not leaving this server.', leave_shard.logical_shard),
      detail = jsonb_build_object('logical_shard', leave_shard.logical_shard),
      hint = 'Move it with pgreprise shard move.';
  end if;

  insert into pgreprise.left_act
    (feed_position, rerun_id, kind, report_id, country_id, report_type, run_sequence, of_run, simulation_ids,
     simulation_run_sequences, batch_id, actor, created_at, undone_by, cache_scopes)
  select act.feed_position, act.rerun_id, act.kind, act.report_id, act.country_id, act.report_type, act.run_sequence,
      act.of_run, act.simulation_ids, act.simulation_run_sequences, act.batch_id, act.actor, act.created_at,
      act.undone_by, act.cache_scopes
    from pgreprise.rerun as act
   where act.feed_position > 0
     and pgreprise.id_shard('rerun', act.rerun_id) = leave_shard.logical_shard;

  update pgreprise.rerun_batch as batch
     set reports = batch.reports - counted.reports,
         rerun = batch.rerun - counted.rerun,
         refused = batch.refused - counted.refused
    from jsonb_populate_recordset(null::pgreprise.rerun_batch, own.batches) as counted
   where counted.batch_id = batch.batch_id and counted.reports > 0;

  create schema if not exists pgreprise_moved;
  perform set_config('pgreprise.leaving_shard', leave_shard.logical_shard::text, true);
  for listed in
    select stored.table_name from pgreprise.shard_tables() as stored
     order by stored.place desc
  loop
    kept := pgreprise.kept_table(listed.table_name, leave_shard.logical_shard);
    execute format('create table %s (like %s)', kept, listed.table_name);
    wanted := pgreprise.shard_condition(listed.table_name, leave_shard.logical_shard);
    execute format(
      'with gone as (delete from %s as moved where %s returning moved.*) insert into %s select gone.* from gone',
      listed.table_name, wanted, kept
    );
    execute format('select exists (select from %s as moved where %s)', listed.table_name, wanted) into stays;
    if stays then
      raise exception using
        errcode = 'object_not_in_prerequisite_state',
        message = format('Rows of %s are still there after they were deleted.', listed.table_name),
        detail = jsonb_build_object('logical_shard', leave_shard.logical_shard, 'table', listed.table_name),
        hint = 'Nothing was changed. A trigger of the application keeps them: disable it for the move.';
    end if;
  end loop;
end;
$$;

comment on function pgreprise.leave_shard(integer, text) is
'Takes the rows of a logical shard out of the tables when another server has them, and keeps a copy.';
