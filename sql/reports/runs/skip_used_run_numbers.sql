-- skip_used_run_numbers(report_ids, simulation_ids): gives a row a new run number where its run number was already
-- used by an earlier, deleted row with the same id. An id is used again when a row is deleted and another row is
-- inserted with that id, for example after a truncation that restarts the sequence. The archived runs of the deleted
-- row stay, so the new row continues with the next number that was never used.
-- Null means all rows; the legacy import asks for that. Routines that create a row call this, and so does an archive
-- that finds a number used, because the host inserts rows without us.
create or replace function pgreprise.skip_used_run_numbers(
  report_ids bigint[] default null, simulation_ids bigint[] default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
-- These tables are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
as $$
<<own>>
declare
  reports     bigint[] := coalesce(skip_used_run_numbers.report_ids,
    array(select distinct run.report_id from pgreprise.report_run as run));
  simulations bigint[] := coalesce(skip_used_run_numbers.simulation_ids,
    array(select distinct run.simulation_id from pgreprise.simulation_run as run));
begin
  -- The last run of the deleted row was never archived, so the number after the archived ones is used, too.
  update public.report_outputs as report
     set run_sequence = earlier.last_run + 2
    from (
      select used.report_id, max(used.run_sequence) as last_run
        from (
          select run.report_id, run.run_sequence
            from pgreprise.report_run as run
           where run.report_id = any (own.reports)
          union all
          -- A worker may have claimed the last run of the deleted row, which was never archived.
          select claim.report_id, claim.run_sequence
            from pgreprise.claim as claim
           where claim.report_id = any (own.reports)
        ) as used
       group by used.report_id
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

comment on function pgreprise.skip_used_run_numbers(bigint[], bigint[]) is
'Gives rows that have the id of a deleted row run numbers that were never used.';
