-- batch_reports(filter): the ids of the reports that the filter of a batch finds now, in order. A report must meet
-- every condition of the filter. Ids of the filter that do not exist are returned, too, so that the batch can refuse
-- each of them.
-- Raises RR015 for a filter that cannot be used.
create or replace function pgreprise.batch_reports(filter jsonb)
returns setof bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The conditions and the number of ids are different each time, and so is the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  allowed record;
begin
  allowed := pgreprise.batch_filter(batch_reports.filter);

  return query
    select report.id::bigint
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

  if allowed.ids is not null then
    return query
      select distinct wanted.report_id
        from unnest(own.allowed.ids) as wanted(report_id)
       where not exists (select from public.report_outputs as report where report.id = wanted.report_id)
       order by wanted.report_id;
  end if;
end;
$$;

comment on function pgreprise.batch_reports(jsonb) is 'The reports that the filter of a batch finds now.';
