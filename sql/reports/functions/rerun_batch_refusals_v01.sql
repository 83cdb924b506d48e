-- rerun_batch_refusals(batch_id): the reports of a batch that could not be rerun, and why, by report. Changes nothing.
-- Raises RR018 when there is no such batch.
create or replace function public.rerun_batch_refusals(batch_id bigint)
returns table (report_id bigint, errcode text, message text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from public.rerun_batches(coalesce(rerun_batch_refusals.batch_id, 0));

  return query
    select item.report_id, item.errcode, item.message
      from pgreprise.rerun_batch_item as item
     where item.batch_id = rerun_batch_refusals.batch_id and item.state = 'refused'
     order by item.report_id;
end;
$$;

comment on function public.rerun_batch_refusals(bigint) is 'The reports of a batch that could not be rerun, and why.';

grant execute on function public.rerun_batch_refusals(bigint) to pgreprise_reader, pgreprise_dba;
