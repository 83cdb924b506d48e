-- archived_outputs(rerun_ids): the outputs that acts have archived and that were not purged, one row for each, with its
-- stored size in bytes. row_kind is report, simulation or reform_impact. A report or a simulation has a run_sequence,
-- the run that the act ended; an economy cache row has the removal_id of the act.
create or replace function pgreprise.archived_outputs(rerun_ids bigint[])
returns table (
  rerun_id bigint, row_kind text, row_id bigint, run_sequence integer, removal_id bigint, bytes bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The number of acts is different each time, and so is the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
begin
  return query
    select act.rerun_id, 'report', run.report_id, run.run_sequence, null::bigint, pg_column_size(run.output)::bigint
      from pgreprise.rerun as act
      join pgreprise.report_run as run
        on run.report_id = act.report_id and run.run_sequence = act.run_sequence - 1
     where act.rerun_id = any (archived_outputs.rerun_ids) and run.output is not null
    union all
    select act.rerun_id, 'simulation', run.simulation_id, run.run_sequence, null, pg_column_size(run.output)::bigint
      from pgreprise.rerun as act
     cross join lateral unnest(act.simulation_ids, act.simulation_run_sequences) as started(simulation_id, run_sequence)
      join pgreprise.simulation_run as run
        on run.simulation_id = started.simulation_id and run.run_sequence = started.run_sequence - 1
     where act.rerun_id = any (archived_outputs.rerun_ids) and run.output is not null
    union all
    select act.rerun_id, 'reform_impact', archived.reform_impact_id, null, archived.removal_id,
        pg_column_size(archived.reform_impact_json)::bigint
      from pgreprise.rerun as act
     cross join lateral unnest(act.reform_impact_ids) as removed(reform_impact_id)
      join pgreprise.reform_impact_archive as archived
        on archived.removal_id = act.removal_id and archived.reform_impact_id = removed.reform_impact_id
     where act.rerun_id = any (archived_outputs.rerun_ids);
end;
$$;

comment on function pgreprise.archived_outputs(bigint[]) is 'The outputs that acts have archived, with their sizes.';
