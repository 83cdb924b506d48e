-- arrive_logical_shard(logical_shard, departure): this server holds a logical shard from now on, whose rows the same
-- transaction has copied after begin_arrival(). Its ids go on after the last one that the other server gave.
-- Raises 55000 when it is here already.
create or replace function pgreprise.arrive_logical_shard(logical_shard integer, departure jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.require_state(arrive_logical_shard.logical_shard, array['absent', 'left'], 'arrive');
  if arrive_logical_shard.departure ->> 'last_number' is not null then
    perform setval(format('pgreprise.shard_ids_%s', to_char(arrive_logical_shard.logical_shard, 'fm00'))::regclass,
      (arrive_logical_shard.departure ->> 'last_number')::bigint);
  end if;
  insert into pgreprise.rerun_batch as batch
  select arrived.*
    from jsonb_populate_recordset(null::pgreprise.rerun_batch, arrive_logical_shard.departure -> 'batches') as arrived
  on conflict on constraint rerun_batch_pkey do update
    set reports = batch.reports + excluded.reports, rerun = batch.rerun + excluded.rerun,
        refused = batch.refused + excluded.refused;
  update pgreprise.logical_shard as known
     set state = 'held', changed_at = now()
   where known.logical_shard = arrive_logical_shard.logical_shard;
  perform pgreprise.notify_workers();
end;
$$;

comment on function pgreprise.arrive_logical_shard(integer, jsonb) is
'This server holds a logical shard from now on, whose rows were copied.';
