-- begin_leaving(logical_shard): the first step of a move: no new rows of the logical shard here from now on.
-- guard_table then refuses changes of those that exist. Calling it again changes nothing.
-- Raises RR034 when the logical shard is not here, 55000 while foreign keys stand in the way (check_moved_keys), while
-- a batch is not finished, and while workers compute its reports.
create or replace function pgreprise.begin_leaving(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  state   text;
  batches bigint[];
  reports bigint[];
  carbon_table text;
  has_carbon boolean;
begin
  select known.state into state
    from pgreprise.logical_shard as known
   where known.logical_shard = begin_leaving.logical_shard
     for no key update;
  if state is null or state not in ('held', 'leaving') then
    perform pgreprise.raise_shard_elsewhere(begin_leaving.logical_shard);
  end if;

  -- Behind a router all of carbon is looked for on the server of logical shard 0, and no move takes it along.
  if begin_leaving.logical_shard = 0 and to_regclass('pgreprise.carbon_module_type') is not null then
    foreach carbon_table in array array['units', 'carbon_projects', 'carbon_reports', 'data_entries'] loop
      execute format('select exists (select from public.%I)', carbon_table) into has_carbon;
      if has_carbon then
        raise exception using
          errcode = 'object_not_in_prerequisite_state',
          message = 'The carbon data is on this server, and logical shard 0 stays with it.',
          detail = jsonb_build_object('logical_shard', 0, 'table', carbon_table),
          hint = 'Nothing was changed. Move the others: pgreprise shard move 1-20 --to b';
      end if;
    end loop;
  end if;

  perform pgreprise.check_moved_keys();

  -- create_rerun_batch waits here, and then sees that something is leaving.
  lock table pgreprise.rerun_batch in share row exclusive mode;
  batches := array(
    select batch.batch_id from pgreprise.rerun_batch as batch
     where batch.finished_at is null and batch.cancelled_at is null
     order by batch.batch_id
  );
  if batches <> '{}' then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Batch %s is not finished.', array_to_string(batches, ', ')),
      detail = jsonb_build_object('batch_ids', batches),
      hint = 'Let it end, or cancel it, then move: pgreprise batches';
  end if;

  reports := array(
    select claim.report_id from pgreprise.claim as claim
     where claim.ended_at is null
       and pgreprise.id_shard('report', claim.report_id) = begin_leaving.logical_shard
     order by claim.report_id
  );
  if reports <> '{}' then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Workers hold claims on reports of logical shard %s: %s.', begin_leaving.logical_shard,
        array_to_string(reports[1:10], ', ')),
      detail = jsonb_build_object('logical_shard', begin_leaving.logical_shard, 'report_ids', reports),
      hint = 'Wait until they have finished, or release their runs: pgreprise claims';
  end if;

  update pgreprise.logical_shard as known
     set state = 'leaving', changed_at = now()
   where known.logical_shard = begin_leaving.logical_shard and known.state = 'held';
end;
$$;

comment on function pgreprise.begin_leaving(integer) is 'The first step of moving a logical shard: no new rows here.';
