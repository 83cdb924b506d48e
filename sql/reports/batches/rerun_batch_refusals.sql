-- rerun_batch_refusals(batch_id, after_report_id, max_rows, are_left): the reports of a batch that could not be rerun,
-- and why, by report id; at most max_rows of them, after after_report_id. With are_left those that were left because
-- somebody else held a row that they need, and are still to be rerun. Changes nothing.
-- Raises RR017 when the caller's token may not read, RR018 when there is no such batch.
create or replace function public.rerun_batch_refusals(
  batch_id bigint, after_report_id bigint default 0, max_rows bigint default null,
  are_left boolean default false
)
returns table (report_id bigint, errcode text, message text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.require_batch(rerun_batch_refusals.batch_id);

  return query
    select item.report_id, item.errcode, item.message
      from pgreprise.rerun_batch_item as item
     where item.batch_id = rerun_batch_refusals.batch_id
       and item.state = case when rerun_batch_refusals.are_left then 'pending' else 'refused' end
       and item.errcode is not null
       and item.report_id > coalesce(rerun_batch_refusals.after_report_id, 0)
     order by item.report_id
     limit rerun_batch_refusals.max_rows;
end;
$$;

comment on function public.rerun_batch_refusals(bigint, bigint, bigint, boolean) is
'The reports of a batch that could not be rerun, and why.';

grant execute on function public.rerun_batch_refusals(bigint, bigint, bigint, boolean)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
