-- create_rerun_batch(filter): lists the reports that a filter finds now, for run_rerun_batch() to rerun. Reports that
-- are created or changed later do not change the list. It reruns nothing yet. Returns the id of the batch.
-- filter: {"country": "us", "status": ["error", "pending"], "year": "2025", "api_version": "r147f26ed1", "report_type":
-- "geography", "ids": [2, 6]}; a report must meet every condition given. Ids that do not exist are listed, too, and
-- refused when the batch runs.
-- Raises RR015 for a filter that cannot be used, RR017 when the caller's token may not.
create or replace function public.create_rerun_batch(filter jsonb)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  made_id   bigint;
  listed    bigint;
  taken_key text;
begin
  perform pgreprise.enter('reports:rerun');

  -- batch_reports refuses a null with a better message than the table would.
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
exception
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind(taken_key);
    raise;
end;
$$;

comment on function public.create_rerun_batch(jsonb) is
'Lists the reports that a filter finds, for run_rerun_batch() to rerun; returns the id of the batch.';

grant execute on function public.create_rerun_batch(jsonb) to pgreprise_dba;
