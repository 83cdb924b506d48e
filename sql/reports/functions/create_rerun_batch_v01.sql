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
  allowed record;
  made_id bigint;
  listed  bigint;
begin
  perform pgreprise.bound_lock_wait();
  allowed := pgreprise.batch_filter(create_rerun_batch.filter);

  insert into pgreprise.rerun_batch as batch (filter) values (create_rerun_batch.filter)
  returning batch.batch_id into made_id;

  insert into pgreprise.rerun_batch_item as item (batch_id, report_id)
  select own.made_id, report.id
    from public.report_outputs as report
   where (own.allowed.ids is null or report.id = any (own.allowed.ids))
     and (own.allowed.countries is null or report.country_id = any (own.allowed.countries))
     and (own.allowed.statuses is null or report.status = any (own.allowed.statuses))
     and (own.allowed.years is null or report.year = any (own.allowed.years))
     and (own.allowed.api_versions is null or report.api_version = any (own.allowed.api_versions))
     and (own.allowed.report_types is null or exists (
       select from public.simulations as simulation
        where simulation.id = report.simulation_1_id
          and simulation.country_id = report.country_id
          and simulation.population_type = any (own.allowed.report_types)
     ))
   order by report.id;
  get diagnostics listed = row_count;

  if allowed.ids is not null then
    insert into pgreprise.rerun_batch_item as item (batch_id, report_id)
    select distinct own.made_id, wanted.report_id
      from unnest(own.allowed.ids) as wanted(report_id)
     where not exists (select from public.report_outputs as report where report.id = wanted.report_id);
    listed := (select count(*) from pgreprise.rerun_batch_item as item where item.batch_id = own.made_id);
  end if;

  update pgreprise.rerun_batch as batch
     set reports = own.listed, finished_at = case when own.listed = 0 then now() end
   where batch.batch_id = own.made_id;
  return made_id;
end;
$$;

comment on function public.create_rerun_batch(jsonb) is
'Lists the reports that a filter finds, for run_rerun_batch() to rerun; returns the id of the batch.';

grant execute on function public.create_rerun_batch(jsonb) to pgreprise_dba;
