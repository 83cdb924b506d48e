-- cancel_rerun_batch(batch_id, reason): ends a batch for ever: the reports that it has rerun stay rerun, and the rest
-- is not done. A chunk that is at work at this moment is still finished, and an undo of the batch waits for it. To undo
-- what was done, call undo_rerun_batch().
-- Returns how many reports remain; with such a chunk, at most so many are not done. A second call of the same person
-- returns them again and changes nothing.
-- Raises RR016 for a reason that is too long, RR017 when the caller's token may not, RR018 no such batch, RR025 when
-- somebody else has cancelled the batch, or it is finished.
create or replace function public.cancel_rerun_batch(batch_id bigint, reason text default null)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target pgreprise.rerun_batch;
  caller text;
begin
  perform pgreprise.enter('reports:rerun');
  caller := pgreprise.caller_name();

  select batch.* into target
    from pgreprise.rerun_batch as batch
   where batch.batch_id = cancel_rerun_batch.batch_id
     for no key update;
  if not found then
    perform pgreprise.raise_not_found('batch', cancel_rerun_batch.batch_id);
  end if;
  if target.cancelled_at is not null and target.cancelled_by = caller then
    return target.reports - target.rerun - target.refused;
  end if;
  if target.cancelled_at is not null or target.finished_at is not null then
    perform pgreprise.raise_batch_ended(target, format('Nothing was changed. To take back what it has done: call '
      'undo_rerun_batch(%s)', target.batch_id));
  end if;

  update pgreprise.rerun_batch as batch
     set cancelled_at = now(),
         cancelled_by = caller,
         cancel_reason = pgreprise.checked_reason(cancel_rerun_batch.reason)
   where batch.batch_id = cancel_rerun_batch.batch_id;
  return target.reports - target.rerun - target.refused;
end;
$$;

comment on function public.cancel_rerun_batch(bigint, text) is
'Ends a batch: what is done stays, the rest is not done; select cancel_rerun_batch(3).';

grant execute on function public.cancel_rerun_batch(bigint, text) to pgreprise_api, pgreprise_dba;
