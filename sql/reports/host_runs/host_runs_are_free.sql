-- host_runs_are_free(report_id, simulation_ids): locks the application's own rows of the current runs of a report and
-- simulations, which a change of their status writes. It waits for no row: false where somebody holds one.
-- To be called only where pgreprise.setting.has_run_tables.
create or replace function pgreprise.host_runs_are_free(report_id bigint, simulation_ids bigint[])
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  run_ids text[];
  locked  text[];
begin
  run_ids := array(
    select coalesce(report.active_run_id::text, (
        select run.id::text
          from public.report_output_runs as run
         where run.report_output_id = report.id
         order by run.run_sequence desc
         limit 1
      ))
      from public.report_outputs as report
     where report.id = host_runs_are_free.report_id
  );
  locked := array(
    select run.id::text
      from public.report_output_runs as run
     where run.report_output_id = host_runs_are_free.report_id and run.id::text = any (own.run_ids)
       for no key update skip locked
  );
  if exists (
    select from public.report_output_runs as run
     where run.report_output_id = host_runs_are_free.report_id
       and run.id::text = any (own.run_ids)
       and run.id::text <> all (own.locked)
  ) then
    return false;
  end if;

  run_ids := array(
    select coalesce(simulation.active_run_id::text, (
        select run.id::text
          from public.simulation_runs as run
         where run.simulation_id = simulation.id
         order by run.run_sequence desc
         limit 1
      ))
      from public.simulations as simulation
     where simulation.id = any (host_runs_are_free.simulation_ids)
  );
  locked := array(
    select run.id::text
      from public.simulation_runs as run
     where run.simulation_id = any (host_runs_are_free.simulation_ids) and run.id::text = any (own.run_ids)
     order by run.simulation_id
       for no key update skip locked
  );
  return not exists (
    select from public.simulation_runs as run
     where run.simulation_id = any (host_runs_are_free.simulation_ids)
       and run.id::text = any (own.run_ids)
       and run.id::text <> all (own.locked)
  );
end;
$$;

comment on function pgreprise.host_runs_are_free(bigint, bigint[]) is
'Locks the application''s own rows of current runs; false where somebody holds one.';
