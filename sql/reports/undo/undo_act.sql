-- undo_act(rerun_id, force, reason): puts back what an act of pgreprise.rerun cleared, as new runs: the status, output,
-- error and version of the report and the simulations, and the economy cache rows with their ids. undo_rerun() and the
-- undo of a batch call it. With force, later results that are in the way are archived and overwritten.
-- A run that was running is pending again: nobody computes it any more.
-- Where the application has tables of runs of its own, the runs that the act added there are removed again
-- (remove_host_run).
-- Returns {"rerun_id", "undo_id", "report_id", "report_type", "simulation_ids", "economy_cache_rows_restored",
-- "cache_scopes", "run_sequence"}. cache_scopes are those of the act: what was computed in between is not the result
-- of the report any more.
-- Raises RR010 when later results are in the way, or reports of the same batch that use what it has reset, RR013 when
-- there is no such act, RR014 when the act was undone or purged already, was never archived, or is itself an undo;
-- RR021 when rows of other tables would be lost, RR022 when a trigger of the host keeps a row.
create or replace function pgreprise.undo_act(rerun_id bigint, force boolean, reason text default null)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  act              pgreprise.rerun;
  reset_ids        bigint[];
  locked_ids       bigint[];
  target           record;
  reset            record;
  ended            record;
  refused          text;
  obstacles        text[] := array[]::text[];
  -- Whether something is in the way that even force cannot overwrite.
  is_impossible    boolean := false;
  overwritten_ids  bigint[];
  new_report_runs  integer[];
  started_runs     integer[];
  new_runs         integer[] := array[]::integer[];
  undo_id          bigint;
  keep_outputs     boolean;
  has_run_tables   boolean;
  report_was_running boolean := false;
  is_without_result  boolean;
begin
  select setting.archive_outputs, setting.has_run_tables into keep_outputs, has_run_tables
    from pgreprise.setting as setting;
  select found_act.* into act from pgreprise.rerun as found_act where found_act.rerun_id = undo_act.rerun_id;
  if not found then
    perform pgreprise.raise_not_found('rerun', undo_act.rerun_id);
  end if;

  -- Locks as in a rerun: the report, the simulations by id, the claims by id; then the act, which another undo or a
  -- purge may change.
  reset_ids := array(
    select started.simulation_id
      from unnest(own.act.simulation_ids, own.act.simulation_run_sequences) as started(simulation_id, run_sequence)
     where started.run_sequence is not null
     order by started.simulation_id
  );
  perform from public.report_outputs as report where report.id = own.act.report_id for no key update;
  -- Those that a claim of the report computes are put back too; another act of the batch may have reset them.
  locked_ids := reset_ids || array(
    select given.simulation_id
      from pgreprise.claim as claim
      join pgreprise.claim_simulation as given on given.claim_id = claim.claim_id
     where claim.report_id = own.act.report_id and claim.ended_at is null and given.open and given.computes
  );
  perform from public.simulations as simulation
    where simulation.id = any (own.locked_ids)
    order by simulation.id
      for no key update;
  perform pgreprise.lock_claims(array_remove(array[act.report_id], null), reset_ids);
  select found_act.* into act
    from pgreprise.rerun as found_act
   where found_act.rerun_id = undo_act.rerun_id
     for no key update;

  refused := case
    when act.kind = 'undo' then format('Rerun #%s is an undo.', act.rerun_id)
    when act.kind in ('cancel_run', 'release_run')
      then format('Act #%s cancelled or released a run and cleared nothing.', act.rerun_id)
    when act.undone_by is not null
      then format('Rerun #%s was already undone at %s by undo #%s.', act.rerun_id, act.undone_at, act.undone_by)
    when not act.is_archived
      then format('Rerun #%s archived no outputs, because archive_outputs was off.', act.rerun_id)
    when act.purged_at is not null
      then format('The outputs that rerun #%s archived were purged at %s.', act.rerun_id, act.purged_at)
  end;
  if refused is not null then
    raise exception using
      errcode = 'RR014',
      message = refused || ' It cannot be undone.',
      detail = jsonb_build_object('rerun_id', act.rerun_id, 'report_id', act.report_id),
      hint = 'Nothing was changed. select * from report_history(<report_id>) shows what can be undone.';
  end if;

  for target in
    select 'report' as kind, own.act.report_id as id, own.act.run_sequence as started_run,
        report.run_sequence as current_run, report.status::text as status,
        report.output is not null or report.error_message is not null as has_result
      from (values (own.act.report_id)) as cleared(report_id)
      left join public.report_outputs as report on report.id = cleared.report_id
     where cleared.report_id is not null
    union all
    select 'simulation', started.simulation_id, started.run_sequence, simulation.run_sequence,
        simulation.status::text, simulation.output is not null or simulation.error_message is not null
      from unnest(own.act.simulation_ids, own.act.simulation_run_sequences) as started(simulation_id, run_sequence)
      left join public.simulations as simulation on simulation.id = started.simulation_id
     where started.run_sequence is not null
     order by kind, id
  loop
    is_without_result := pgreprise.is_without_result(target.kind, target.id, target.current_run, target.status,
      target.has_result);
    obstacles := obstacles || pgreprise.undo_obstacle(target.kind, target.id, target.current_run,
      case when is_without_result then 'pending' else target.status end,
      target.has_result and not is_without_result, target.started_run);
    if has_run_tables then
      obstacles := obstacles || pgreprise.host_run_obstacle(target.kind, target.id, target.started_run,
        is_without_result);
    end if;
    -- Run numbers never go back: a row with a smaller one is another row, which has the id of a deleted one.
    is_impossible := is_impossible or target.current_run is null or target.current_run < target.started_run;
  end loop;

  -- Reports of the same batch, or set, that were left with the simulations that this act has reset for all.
  obstacles := obstacles || array(
    select format('rerun #%s of report #%s uses the simulations that it has reset', later.rerun_id, later.report_id)
      from public.report_outputs as report
      join pgreprise.rerun as later on later.report_id = report.id
     where (report.simulation_1_id = any (own.reset_ids) or report.simulation_2_id = any (own.reset_ids))
       and later.rerun_id > own.act.rerun_id
       and later.kind = 'rerun'
       and later.undone_by is null
       and (later.batch_id = own.act.batch_id or later.created_at = own.act.created_at)
       and exists (
         select from unnest(later.simulation_ids, later.simulation_run_sequences) as used(simulation_id, run_sequence)
          where used.simulation_id = any (own.reset_ids) and used.run_sequence is null
       )
     order by later.rerun_id
     limit 3
  );

  -- Rows of the same key that were computed later. They may have the id of a deleted row.
  overwritten_ids := array(
    select distinct cached.reform_impact_id
      from jsonb_array_elements(own.act.cache_scopes) as emptied(scope)
     cross join lateral pgreprise.report_cache_rows(
       jsonb_populate_record(null::pgreprise.cache_key, emptied.scope), emptied.scope ->> 'api_version'
     ) as cached
     -- delete_reform_impacts may have kept rows of the key that have another status.
     where cached.reform_impact_id <> all (own.act.kept_reform_impact_ids)
     order by cached.reform_impact_id
  );
  if cardinality(overwritten_ids) > 0 then
    obstacles := obstacles || format('there are newer economy cache rows (#%s)',
      array_to_string(overwritten_ids, ', #'));
  end if;
  if exists (
    select from public.reform_impact as impact
     where impact.reform_impact_id = any (own.act.reform_impact_ids)
       and impact.reform_impact_id <> all (own.overwritten_ids)
  ) then
    obstacles := obstacles || 'other economy cache rows have the ids of the deleted ones'::text;
    is_impossible := true;
  end if;

  obstacles := array_remove(obstacles, null);
  undo_id := nextval('pgreprise.rerun_rerun_id_seq');
  if cardinality(obstacles) = 0 or (undo_act.force and not is_impossible) then
    begin
      if cardinality(overwritten_ids) > 0 then
        overwritten_ids := pgreprise.remove_reform_impacts(overwritten_ids, undo_id, keep_outputs);
      end if;
      if cardinality(act.reform_impact_ids) > 0 then
        perform pgreprise.restore_reform_impacts(act.removal_id, act.reform_impact_ids);
      end if;
    exception
      -- Constraints of the host, or types that are narrower than before.
      when integrity_constraint_violation or data_exception then
        obstacles := obstacles || format('the economy cache rows no longer fit into their table (%s)', sqlerrm);
        is_impossible := true;
    end;
  end if;

  if cardinality(obstacles) > 0 and (is_impossible or not undo_act.force) then
    raise exception using
      errcode = 'RR010',
      message = format('Rerun #%s cannot be undone: %s.', act.rerun_id, array_to_string(obstacles, '; ')),
      detail = jsonb_build_object('rerun_id', act.rerun_id, 'report_id', act.report_id, 'obstacles', obstacles),
      hint = case when is_impossible
        then 'Nothing was changed. Rerun the report instead, so that it is computed again.'
        else format('Nothing was changed. First undo the later reruns, the newest first. Or a member of pgreprise_dba '
          'archives and overwrites the later results: call undo_rerun(%s, force => true)', act.rerun_id) end;
  end if;

  perform pgreprise.end_claims(array_remove(array[act.report_id], null), 'superseded',
    format('rerun #%s was undone', act.rerun_id), reset_ids);
  if act.report_id is not null then
    -- Nobody computes it any more: a run that was running is pending again.
    select case run.status when 'running' then 'pending' else run.status end as status, run.output,
        run.error_message, run.api_version, run.status = 'running' as was_running
      into ended
      from pgreprise.report_run as run
     where run.report_id = own.act.report_id and run.run_sequence = own.act.run_sequence - 1;
    new_report_runs := pgreprise.start_report_runs(array[act.report_id], keep_outputs, ended.status, ended.output,
      ended.error_message, ended.api_version);
    report_was_running := ended.was_running;
    insert into pgreprise.restored_run (row_kind, row_id, run_sequence, restores_run)
    values ('report', act.report_id, new_report_runs[1],
      pgreprise.original_run('report', act.report_id, act.run_sequence - 1));
  end if;

  for reset in
    select started.simulation_id, started.run_sequence - 1 as ended_run
      from unnest(own.act.simulation_ids, own.act.simulation_run_sequences) as started(simulation_id, run_sequence)
     where started.run_sequence is not null
     order by started.simulation_id
  loop
    select case run.status when 'running' then 'pending' else run.status end as status, run.output, run.error_message,
        run.api_version, run.status = 'running' as was_running
      into ended
      from pgreprise.simulation_run as run
     where run.simulation_id = own.reset.simulation_id and run.run_sequence = own.reset.ended_run;
    started_runs := pgreprise.start_simulation_runs(array[reset.simulation_id], keep_outputs, ended.status,
      ended.output, ended.error_message, ended.api_version);
    new_runs := new_runs || started_runs;
    insert into pgreprise.restored_run (row_kind, row_id, run_sequence, restores_run)
    values ('simulation', reset.simulation_id, started_runs[1],
      pgreprise.original_run('simulation', reset.simulation_id, reset.ended_run));
    if has_run_tables then
      perform pgreprise.remove_host_run('simulation', reset.simulation_id, reset.ended_run + 1, started_runs[1]);
      if ended.was_running then
        perform pgreprise.write_simulation_host_run(reset.simulation_id);
      end if;
    end if;
  end loop;
  -- After the runs of the simulations, which may refer to it.
  if has_run_tables and act.report_id is not null then
    perform pgreprise.remove_host_run('report', act.report_id, act.run_sequence, new_report_runs[1]);
    if report_was_running then
      perform pgreprise.write_report_host_run(act.report_id);
    end if;
  end if;

  insert into pgreprise.rerun as undo
    (rerun_id, kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
     reform_impact_ids, removal_id, cache_scopes, is_archived, undoes, reason)
  values
    (undo_id, 'undo', act.report_id, act.country_id, act.report_type, new_report_runs[1], reset_ids, new_runs,
     overwritten_ids, undo_id, act.cache_scopes, keep_outputs, act.rerun_id, undo_act.reason);
  -- What is left of the batch has to reset them again.
  delete from pgreprise.rerun_batch_simulation as done
   where done.batch_id = own.act.batch_id and done.simulation_id = any (own.reset_ids);
  delete from pgreprise.rerun_batch_cache_key as done
   using jsonb_populate_recordset(null::pgreprise.rerun_batch_cache_key, own.act.cache_scopes) as emptied
   where done.batch_id = own.act.batch_id
     and (done.country_id, done.baseline_policy_id, done.reform_policy_id, done.region, done.dataset,
         done.time_period, done.api_version)
       = (emptied.country_id, emptied.baseline_policy_id, emptied.reform_policy_id, emptied.region, emptied.dataset,
         emptied.time_period, emptied.api_version);
  perform pgreprise.notify_workers();
  update pgreprise.rerun as undone
     set undone_by = own.undo_id, undone_at = now()
   where undone.rerun_id = own.act.rerun_id;

  return jsonb_build_object(
    'rerun_id', act.rerun_id,
    'undo_id', undo_id,
    'report_id', act.report_id,
    'report_type', act.report_type,
    'simulation_ids', reset_ids,
    'economy_cache_rows_restored', cardinality(act.reform_impact_ids),
    'cache_scopes', act.cache_scopes,
    'run_sequence', new_report_runs[1]
  );
end;
$$;

comment on function pgreprise.undo_act(bigint, boolean, text) is
'Puts back what an act cleared, as new runs, unless later results are in the way.';
