-- create_rerun_batch(filter): list the reports that a filter finds now, for run_rerun_batch() to rerun. The list is
-- frozen: what is created or changes later does not join or leave it. Reruns nothing yet. Returns the batch's id.
-- filter: {"country": "us", "status": ["error", "pending"], "year": "2025", "api_version": "r147f26ed1", "report_type":
-- "geography", "ids": [2, 6]}; a report must meet every condition given. Explicit ids without a report are listed,
-- too, and refused when their turn comes.
-- Raises RR015 for a filter that cannot be used.
create or replace function public.create_rerun_batch(filter jsonb)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  made_id bigint;
  listed  bigint;
begin
  perform pgreprise.enter('reports:rerun');

  -- batch_reports refuses a null; the table would first, and not say why.
  insert into pgreprise.rerun_batch as batch (filter) values (coalesce(create_rerun_batch.filter, 'null'))
  returning batch.batch_id into made_id;
  insert into pgreprise.rerun_batch_item as item (batch_id, report_id)
  select own.made_id, listed_now.report_id
    from pgreprise.batch_reports(create_rerun_batch.filter) as listed_now(report_id);
  get diagnostics listed = row_count;

  update pgreprise.rerun_batch as batch
     set reports = own.listed, finished_at = case when own.listed = 0 then now() end
   where batch.batch_id = own.made_id;
  return made_id;
end;
$$;

comment on function public.create_rerun_batch(jsonb) is
'Lists the reports that a filter finds, for run_rerun_batch() to rerun; returns the id of the batch.';

grant execute on function public.create_rerun_batch(jsonb) to pgreprise_dba;
