-- continue_runs(report_ids, simulation_ids): give rows whose run number belongs to the history of an earlier row of
-- the same id the next number that was never used. An id comes back when a row is deleted and another inserted with
-- it, as after a truncation that restarts the sequence, or an import into emptied tables; what was archived under
-- the id stays, and run numbers go on. Null means every row; an import does that.
-- Whoever creates a row calls it, and an archive that finds the number taken: a host inserts rows by itself.
create or replace function pgreprise.continue_runs(
  report_ids bigint[] default null, simulation_ids bigint[] default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
-- The history begins empty. A plan made then scans it, and a session would keep that plan while it grows.
set enable_seqscan = 'off'
as $$
<<own>>
declare
  reports     bigint[] := coalesce(continue_runs.report_ids,
    array(select distinct run.report_id from pgreprise.report_run as run));
  simulations bigint[] := coalesce(continue_runs.simulation_ids,
    array(select distinct run.simulation_id from pgreprise.simulation_run as run));
begin
  -- The last run of the earlier row never ended, so that its number, the next one, is used too.
  update public.report_outputs as report
     set run_sequence = earlier.last_run + 2
    from (
      select run.report_id, max(run.run_sequence) as last_run
        from pgreprise.report_run as run
       where run.report_id = any (own.reports)
       group by run.report_id
    ) as earlier
   where report.id = earlier.report_id and report.run_sequence <= earlier.last_run;

  update public.simulations as simulation
     set run_sequence = earlier.last_run + 2
    from (
      select run.simulation_id, max(run.run_sequence) as last_run
        from pgreprise.simulation_run as run
       where run.simulation_id = any (own.simulations)
       group by run.simulation_id
    ) as earlier
   where simulation.id = earlier.simulation_id and simulation.run_sequence <= earlier.last_run;
end;
$$;

comment on function pgreprise.continue_runs(bigint[], bigint[]) is
'Numbers the runs of rows that have the id of a deleted one after the runs of that one.';
