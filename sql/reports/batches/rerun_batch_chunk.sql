-- rerun_batch_chunk(batch_id, chunk_size): reruns the next reports of a batch, in one transaction. run_rerun_batch()
-- and `pgreprise rerun-batch` call it repeatedly. It skips reports that another runner is rerunning, so two runners
-- never rerun one report twice. Reports that cannot be rerun are refused and counted.
-- Returns {"reports": how many this chunk took, "rerun", "refused", "simulations_reset",
-- "economy_cache_rows_deleted"}; 0 reports when none is left.
-- Raises RR016 for a chunk_size that is not between 1 and 100000, RR017 when the caller's token may not, RR018 no such
-- batch.
create or replace function public.rerun_batch_chunk(batch_id bigint, chunk_size integer default 1000)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  taken_ids bigint[];
  done      jsonb;
  refused   bigint;
begin
  perform pgreprise.enter('reports:rerun');
  perform pgreprise.check_chunk_size(rerun_batch_chunk.chunk_size);
  perform pgreprise.require_batch(rerun_batch_chunk.batch_id);

  taken_ids := array(
    select item.report_id
      from pgreprise.rerun_batch_item as item
     where item.batch_id = rerun_batch_chunk.batch_id and item.state = 'pending'
     order by item.report_id
     limit rerun_batch_chunk.chunk_size
       for update skip locked
  );

  done := pgreprise.rerun_each(taken_ids, rerun_batch_chunk.batch_id);
  refused := jsonb_array_length(done -> 'refused');

  update pgreprise.rerun_batch_item as item
     set state = case when refusal.errcode is null then 'rerun' else 'refused' end,
         errcode = refusal.errcode,
         message = refusal.message
    from unnest(own.taken_ids) as taken(report_id)
    left join jsonb_to_recordset(own.done -> 'refused') as refusal(report_id bigint, errcode text, message text)
      on refusal.report_id = taken.report_id
   where item.batch_id = rerun_batch_chunk.batch_id and item.report_id = taken.report_id;

  -- This comes last, because two runners of one batch wait for each other here.
  update pgreprise.rerun_batch as batch
     set rerun = batch.rerun + (own.done ->> 'rerun')::bigint,
         refused = batch.refused + own.refused,
         finished_at = case
           when batch.finished_at is null
             and batch.rerun + batch.refused + cardinality(own.taken_ids) = batch.reports then now()
           else batch.finished_at
         end
   where batch.batch_id = rerun_batch_chunk.batch_id and cardinality(own.taken_ids) > 0;

  return done || jsonb_build_object('reports', cardinality(taken_ids), 'refused', refused);
end;
$$;

comment on function public.rerun_batch_chunk(bigint, integer) is
'Reruns the next reports of a batch in one transaction and returns how many; 0 when none is left.';

grant execute on function public.rerun_batch_chunk(bigint, integer) to pgreprise_dba;
