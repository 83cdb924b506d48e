-- leave_logical_shard(logical_shard): the rows of a logical shard, which another server has by now, are taken out of
-- the tables; pgreprise_moved keeps a copy until forget_logical_shard(). Once more is the same as once.
-- What the feed tells of its acts stays (left_act). The counts of batches go down by the reports that leave.
-- Raises 55000 when it is not leaving, a transaction is older than the freeze, or a row stays (a trigger of the
-- application keeps it).
create or replace function pgreprise.leave_logical_shard(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  departure jsonb;
  listed    record;
  kept_name text;
  kept      bigint;
  deleted   bigint;
  older     integer;
begin
  if pgreprise.require_state(leave_logical_shard.logical_shard, array['leaving', 'left'], 'leave') = 'left' then
    return;
  end if;
  -- A transaction with an older snapshot still takes this logical shard for one that is held.
  select activity.pid into older
    from pg_stat_activity as activity
    join pgreprise.logical_shard as known on known.logical_shard = leave_logical_shard.logical_shard
   where activity.datname = current_database()
     and activity.pid <> pg_backend_pid()
     and activity.backend_type = 'client backend'
     and age(activity.backend_xmin) >= age(known.xmin)
   limit 1;
  if found then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Process %s is in a transaction that is older than the freeze of logical shard %s.', older,
        leave_logical_shard.logical_shard),
      detail = jsonb_build_object('logical_shard', leave_logical_shard.logical_shard, 'pid', older),
      hint = format('Nothing was changed. Wait until it has ended: select * from pg_stat_activity where pid = %s',
        older);
  end if;

  perform set_config('pgreprise.moves', leave_logical_shard.logical_shard::text, true);
  departure := pgreprise.shard_departure(leave_logical_shard.logical_shard);
  execute 'insert into pgreprise.left_act (feed_position, logical_shard, rerun_id, kind, report_id, country_id, '
    'report_type, run_sequence, simulation_ids, simulation_run_sequences, batch_id, actor, created_at, undone, '
    'cache_scopes) select * from (' || pgreprise.shard_rows('pgreprise.rerun', leave_logical_shard.logical_shard,
      format('moved.feed_position, %s, moved.rerun_id, moved.kind, moved.report_id, moved.country_id, '
      'moved.report_type, coalesce(moved.run_sequence, moved.of_run), moved.simulation_ids, '
      'moved.simulation_run_sequences, moved.batch_id, moved.actor, moved.created_at, moved.undone_by is not null, '
      'moved.cache_scopes', leave_logical_shard.logical_shard))
    || ') as act where act.feed_position > 0';

  create schema if not exists pgreprise_moved;
  for listed in select known.table_name from pgreprise.shard_tables() as known order by known.place desc loop
    kept_name := pgreprise.kept_table(listed.table_name, leave_logical_shard.logical_shard);
    execute format('create table %s as %s', kept_name, pgreprise.shard_rows(listed.table_name,
      leave_logical_shard.logical_shard,
      (select string_agg(format('moved.%I', copied.name), ', ')
         from unnest(pgreprise.moved_columns(listed.table_name)) as copied(name))));
    get diagnostics kept = row_count;
    execute format('delete from %s as gone using (%s) as found(place) where gone.ctid = found.place',
      listed.table_name,
      pgreprise.shard_rows(listed.table_name, leave_logical_shard.logical_shard, 'moved.ctid'));
    get diagnostics deleted = row_count;
    if deleted <> kept then
      raise exception using
        errcode = 'object_not_in_prerequisite_state',
        message = format('%s rows of %s were to be deleted, and %s were.', kept, listed.table_name, deleted),
        detail = jsonb_build_object('table', listed.table_name, 'rows', kept, 'deleted', deleted),
        hint = 'Nothing was changed. See which trigger of the application keeps rows.';
    end if;
  end loop;

  update pgreprise.rerun_batch as batch
     set reports = batch.reports - gone.reports, rerun = batch.rerun - gone.rerun,
         refused = batch.refused - gone.refused
    from jsonb_populate_recordset(null::pgreprise.rerun_batch, own.departure -> 'batches') as gone
   where batch.batch_id = gone.batch_id;
  perform pgreprise.end_freeze(leave_logical_shard.logical_shard);
  update pgreprise.logical_shard as known
     set state = 'left', changed_at = now()
   where known.logical_shard = leave_logical_shard.logical_shard;
end;
$$;

comment on function pgreprise.leave_logical_shard(integer) is
'Takes the rows of a logical shard, which another server has, out of the tables, and keeps a copy.';
