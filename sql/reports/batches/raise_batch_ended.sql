-- raise_batch_ended(batch, hint): tells that a batch was cancelled, or is finished. Always raises RR025.
create or replace function pgreprise.raise_batch_ended(batch pgreprise.rerun_batch, hint text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR025',
    message = case
      when batch.finished_at is null
        then format('Batch #%s was cancelled at %s by %s.', batch.batch_id, batch.cancelled_at, batch.cancelled_by)
      else format('Batch #%s is finished since %s.', batch.batch_id, batch.finished_at)
    end,
    detail = jsonb_build_object('batch_id', batch.batch_id, 'cancelled_at', batch.cancelled_at,
      'finished_at', batch.finished_at),
    hint = raise_batch_ended.hint;
end;
$$;

comment on function pgreprise.raise_batch_ended(pgreprise.rerun_batch, text) is
'Raises RR025: the batch was cancelled or is finished.';
