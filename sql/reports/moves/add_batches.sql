-- add_batches(batches): adds the batches of another server (shard_batches) that this one does not have, and to those
-- that it has the counts of the reports that are moved here.
create or replace function pgreprise.add_batches(batches jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgreprise.rerun_batch as stored
  select brought.* from jsonb_populate_recordset(null::pgreprise.rerun_batch, add_batches.batches) as brought
      on conflict on constraint rerun_batch_pkey do update
     set reports = stored.reports + excluded.reports,
         rerun = stored.rerun + excluded.rerun,
         refused = stored.refused + excluded.refused;
end;
$$;

comment on function pgreprise.add_batches(jsonb) is
'Adds the batches of another server, and the counts of the reports that are moved here.';
