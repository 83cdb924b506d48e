-- lock_reports(report_ids): lock reports and their simulations for a rerun, in the order of a single rerun: reports by
-- id, simulations by id, then the open claims of both by id. Ids that do not exist are left out.
create or replace function pgreprise.lock_reports(report_ids bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
-- The rows are found by their key, so one plan is right for all values. A plan for these values would take longer than
-- the locks: PostgreSQL estimates each id of the list by itself.
set plan_cache_mode = 'force_generic_plan'
as $$
begin
  perform from public.report_outputs as report
    where report.id = any (lock_reports.report_ids)
    order by report.id
      for no key update;
  perform from public.simulations as simulation
    where simulation.id in (
      select used.simulation_id
        from public.report_outputs as report
       cross join lateral unnest(array[report.simulation_1_id, report.simulation_2_id]) as used(simulation_id)
       where report.id = any (lock_reports.report_ids)
    )
    order by simulation.id
      for no key update;
  if exists (select from pgreprise.claim as claim where claim.ended_at is null) then
    perform pgreprise.lock_claims(lock_reports.report_ids, array(
      select distinct used.simulation_id
        from public.report_outputs as report
       cross join lateral unnest(array[report.simulation_1_id, report.simulation_2_id]::bigint[]) as used(simulation_id)
       where report.id = any (lock_reports.report_ids) and used.simulation_id is not null
    ));
  end if;
end;
$$;

comment on function pgreprise.lock_reports(bigint[]) is
'Locks reports and their simulations for a rerun, each by id.';
