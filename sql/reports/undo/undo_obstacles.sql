-- undo_obstacles(act): each thing that undoing an act would write or overwrite, as it is now, and what stands in its
-- way.
-- This is the only place that says so: the undo, its preview and that of a batch ask it. The undo has locked the rows.
-- One row each, in this order, with kind and ids:
-- - report, simulation: with the run that the act started, its status and run now, whether it has a result that would
--   be overwritten, the obstacle of undo_obstacle(), and that of the application's own tables of runs
-- - rerun: a rerun of the same batch or set that uses the simulations which this act has reset for all
-- - newer_rows: economy cache rows that were computed since
-- - taken_rows: the ids of deleted cache rows that other rows have now
-- obstacle is null where nothing is in the way; is_impossible where even force cannot overwrite what is.
create or replace function pgreprise.undo_obstacles(act pgreprise.rerun)
returns table (
  kind text,
  ids bigint[],
  status text,
  started_run integer,
  current_run integer,
  has_result boolean,
  obstacle text,
  host_obstacle text,
  is_impossible boolean
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  has_run_tables constant boolean := (select setting.has_run_tables from pgreprise.setting as setting);
  reset_ids constant bigint[] := array(
    select started.simulation_id
      from unnest((undo_obstacles.act).simulation_ids, (undo_obstacles.act).simulation_run_sequences)
        as started(simulation_id, run_sequence)
     where started.run_sequence is not null
  );
  target            record;
  is_without_result boolean;
  newer_ids         bigint[];
begin
  for target in
    select 'report' as kind, cleared.report_id as id, (undo_obstacles.act).run_sequence as started_run,
        report.run_sequence as current_run, report.status::text as status,
        report.output is not null or report.error_message is not null as has_result
      from (values ((undo_obstacles.act).report_id)) as cleared(report_id)
      left join public.report_outputs as report on report.id = cleared.report_id
     where cleared.report_id is not null
    union all
    select 'simulation', started.simulation_id, started.run_sequence, simulation.run_sequence,
        simulation.status::text, simulation.output is not null or simulation.error_message is not null
      from unnest((undo_obstacles.act).simulation_ids, (undo_obstacles.act).simulation_run_sequences)
        as started(simulation_id, run_sequence)
      left join public.simulations as simulation on simulation.id = started.simulation_id
     where started.run_sequence is not null
     order by kind, id
  loop
    kind := target.kind;
    ids := array[target.id];
    status := target.status;
    started_run := target.started_run;
    current_run := target.current_run;
    is_without_result := pgreprise.is_without_result(target.kind, target.id, target.current_run, target.status,
      target.has_result);
    has_result := coalesce((target.has_result or target.status in ('complete', 'error')) and not is_without_result,
      false);
    obstacle := pgreprise.undo_obstacle(target.kind, target.id, target.current_run,
      case when is_without_result then 'pending' else target.status end,
      target.has_result and not is_without_result, target.started_run);
    host_obstacle := case when has_run_tables then pgreprise.host_run_obstacle(target.kind, target.id,
      target.started_run, is_without_result) end;
    -- Run numbers never go back: a row with a smaller one is another row, which has the id of a deleted one.
    is_impossible := target.current_run is null or target.current_run < target.started_run;
    return next;
  end loop;

  -- Reports of the same batch, or set, that were left with the simulations that this act has reset for all.
  return query
    select 'rerun', array[later.rerun_id], null::text, null::integer, null::integer, false,
        format('rerun #%s of report #%s uses the simulations that it has reset', later.rerun_id, later.report_id),
        null::text, false
      from public.report_outputs as report
      join pgreprise.rerun as later on later.report_id = report.id
     where (report.simulation_1_id = any (own.reset_ids) or report.simulation_2_id = any (own.reset_ids))
       and later.rerun_id > (undo_obstacles.act).rerun_id
       and later.kind = 'rerun'
       and later.undone_by is null
       and (later.batch_id = (undo_obstacles.act).batch_id or later.created_at = (undo_obstacles.act).created_at)
       and exists (
         select from unnest(later.simulation_ids, later.simulation_run_sequences) as used(simulation_id, run_sequence)
          where used.simulation_id = any (own.reset_ids) and used.run_sequence is null
       )
     order by later.rerun_id
     limit 3;

  -- Rows of the same key that were computed later. They may have the id of a deleted row.
  newer_ids := array(
    select distinct cached.reform_impact_id
      from jsonb_array_elements((undo_obstacles.act).cache_scopes) as emptied(scope)
     cross join lateral pgreprise.report_cache_rows(
       jsonb_populate_record(null::pgreprise.cache_key, emptied.scope), emptied.scope ->> 'api_version'
     ) as cached
     -- delete_reform_impacts may have kept rows of the key that have another status.
     where cached.reform_impact_id <> all ((undo_obstacles.act).kept_reform_impact_ids)
     order by cached.reform_impact_id
  );
  if cardinality(newer_ids) > 0 then
    return query select 'newer_rows', own.newer_ids, null::text, null::integer, null::integer, true,
        pgreprise.newer_rows_obstacle(own.newer_ids), null::text, false;
  end if;
  return query
    select 'taken_rows', array_agg(impact.reform_impact_id::bigint order by impact.reform_impact_id), null::text,
        null::integer, null::integer, false, 'other economy cache rows have the ids of the deleted ones'::text,
        null::text, true
      from public.reform_impact as impact
     where impact.reform_impact_id = any ((undo_obstacles.act).reform_impact_ids)
       and impact.reform_impact_id <> all (own.newer_ids)
    having count(*) > 0;
end;
$$;

comment on function pgreprise.undo_obstacles(pgreprise.rerun) is
'What undoing an act would write or overwrite, and what stands in its way.';
