-- rerun_batch_chunk(batch_id, chunk_size, after_report_id): reruns the next reports of a batch, in one transaction.
-- run_rerun_batch() and `pgreprise rerun-batch` call it repeatedly. It skips reports that another runner is rerunning,
-- so two runners never rerun one report twice. Reports that cannot be rerun are refused and counted.
-- A report that needs a row which somebody else holds is left: it stays in the list, with the row and who holds it, and
-- the others are rerun. Without a lock_timeout of the caller it waits a second before it leaves one.
-- Returns {"reports": how many this chunk rerun or refused, "rerun", "refused", "simulations_reset",
-- "economy_cache_rows_deleted", "left": [{"report_id", "errcode", "message"}, ...], "after": the position for the next
-- chunk}; "after" is null when there was none left after after_report_id.
-- Raises RR016 for a chunk_size that is not between 1 and 100000, RR017 when the caller's token may not, RR018 no such
-- batch, RR023 when a sequence is behind, RR025 when the batch was cancelled.
create or replace function public.rerun_batch_chunk(
  batch_id bigint, chunk_size integer default 1000, after_report_id bigint default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  target     pgreprise.rerun_batch;
  wanted_ids bigint[];
  taken_ids  bigint[];
  left_out   jsonb;
  done       jsonb;
  refused    bigint;
  is_limited constant boolean := current_setting('lock_timeout') <> '0';
  longest    text;
begin
  perform pgreprise.enter('reports:rerun');
  longest := current_setting('lock_timeout');
  perform pgreprise.check_chunk_size(rerun_batch_chunk.chunk_size);
  perform pgreprise.require_batch(rerun_batch_chunk.batch_id);
  -- An undo of the batch waits for this lock, and so for the acts of this chunk. Other chunks, and a cancellation, do
  -- not wait.
  select batch.* into target
    from pgreprise.rerun_batch as batch
   where batch.batch_id = rerun_batch_chunk.batch_id
     for key share;
  if target.cancelled_at is not null and target.finished_at is null then
    perform pgreprise.raise_batch_ended(target, 'What it had rerun stays. For the others create another batch.');
  end if;

  wanted_ids := array(
    select item.report_id
      from pgreprise.rerun_batch_item as item
     where item.batch_id = rerun_batch_chunk.batch_id
       and item.state = 'pending'
       and (rerun_batch_chunk.after_report_id is null or item.report_id > rerun_batch_chunk.after_report_id)
     order by item.report_id
     limit rerun_batch_chunk.chunk_size
       for no key update skip locked
  );
  if not is_limited then
    perform set_config('lock_timeout', '1s', true);
  end if;
  done := pgreprise.rerun_unlocked(wanted_ids, rerun_batch_chunk.batch_id);
  perform set_config('lock_timeout', longest, true);
  left_out := done -> 'left';
  refused := jsonb_array_length(done -> 'refused');
  taken_ids := array(
    select wanted.report_id
      from unnest(own.wanted_ids) as wanted(report_id)
    except
    select skipped.report_id from jsonb_to_recordset(own.left_out) as skipped(report_id bigint)
  );

  update pgreprise.rerun_batch_item as item
     set state = case when refusal.errcode is null then 'rerun' else 'refused' end,
         errcode = refusal.errcode,
         message = refusal.message
    from unnest(own.taken_ids) as taken(report_id)
    left join jsonb_to_recordset(own.done -> 'refused') as refusal(report_id bigint, errcode text, message text)
      on refusal.report_id = taken.report_id
   where item.batch_id = rerun_batch_chunk.batch_id and item.report_id = taken.report_id;
  update pgreprise.rerun_batch_item as item
     set errcode = skipped.errcode, message = skipped.message
    from jsonb_to_recordset(own.left_out) as skipped(report_id bigint, errcode text, message text)
   where item.batch_id = rerun_batch_chunk.batch_id and item.report_id = skipped.report_id;

  -- This comes last, because two runners of one batch wait for each other here.
  update pgreprise.rerun_batch as batch
     set rerun = batch.rerun + (own.done ->> 'rerun')::bigint,
         refused = batch.refused + own.refused,
         progressed_at = now(),
         finished_at = case
           when batch.finished_at is null
             and batch.rerun + batch.refused + cardinality(own.taken_ids) = batch.reports then now()
           else batch.finished_at
         end
   where batch.batch_id = rerun_batch_chunk.batch_id and cardinality(own.taken_ids) > 0;
  perform pgreprise.count_batch_refusals(done -> 'refused');

  return done || jsonb_build_object('reports', cardinality(taken_ids), 'refused', refused,
    'after', wanted_ids[cardinality(wanted_ids)]);
end;
$$;

comment on function public.rerun_batch_chunk(bigint, integer, bigint) is
'Reruns the next reports of a batch in one transaction and returns how many, and which it left because of a lock.';

grant execute on function public.rerun_batch_chunk(bigint, integer, bigint) to pgreprise_api, pgreprise_dba;
