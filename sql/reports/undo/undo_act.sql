-- undo_act(rerun_id, force, reason, seen, undo_id, idempotency_key): puts back what an act of pgreprise.rerun cleared,
-- as new runs: the status, output, error and version of the report and the simulations, and the economy cache rows with
-- their ids. undo_rerun() and the undo of a batch call it. With force, later results that are in the way are archived
-- and overwritten.
-- A run that was running is pending again: nobody computes it any more.
-- Where the application has tables of runs of its own, the runs that the act added there are removed again
-- (remove_host_run).
-- seen is what read_seen() has read of the token of a preview; undo_id is the number of the undo, where the caller has
-- one already; idempotency_key is recorded with it.
-- Returns {"rerun_id", "undo_id", "report_id", "report_type", "simulation_ids", "economy_cache_rows_restored",
-- "cache_scopes", "run_sequence"}. cache_scopes are those of the act: what was computed in between is not the result
-- of the report any more.
-- Raises RR010 when later results are in the way, or reports of the same batch that use what it has reset, RR013 when
-- there is no such act, RR014 when the act was undone or purged already, was never archived, or is itself an undo;
-- RR016 when seen is of another undo, RR021 when rows of other tables would be lost, RR022 when a trigger of the host
-- keeps a row, RR029 when something has moved since the preview.
create or replace function pgreprise.undo_act(
  rerun_id bigint,
  force boolean,
  reason text default null,
  seen jsonb default null,
  undo_id bigint default null,
  idempotency_key text default null
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  act              pgreprise.rerun;
  reset_ids        bigint[];
  locked_ids       bigint[];
  reset            record;
  ended            record;
  defect           record;
  found_obstacle   record;
  obstacles        text[] := array[]::text[];
  -- Whether something is in the way that even force cannot overwrite.
  is_impossible    boolean := false;
  overwritten_ids  bigint[] := array[]::bigint[];
  new_report_runs  integer[];
  started_runs     integer[];
  new_runs         integer[] := array[]::integer[];
  result           jsonb;
  keep_outputs     boolean;
  has_run_tables   boolean;
  report_was_running boolean := false;
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

  select found_defect.errcode, found_defect.message, found_defect.detail, found_defect.hint into defect
    from pgreprise.undo_defect(own.act) as found_defect;
  if found then
    raise exception using
      errcode = defect.errcode, message = defect.message, detail = defect.detail, hint = defect.hint;
  end if;

  if has_run_tables then
    perform pgreprise.lock_host_runs_of_act(act);
  end if;
  for found_obstacle in select * from pgreprise.undo_obstacles(own.act) as listed loop
    obstacles := obstacles || found_obstacle.obstacle || found_obstacle.host_obstacle;
    is_impossible := is_impossible or found_obstacle.is_impossible;
    if found_obstacle.kind = 'newer_rows' then
      overwritten_ids := found_obstacle.ids;
    end if;
  end loop;
  if undo_act.seen is not null then
    perform pgreprise.require_seen(undo_act.seen, pgreprise.undo_seen(act), 'undo', act.rerun_id);
  end if;

  obstacles := array_remove(obstacles, null);
  undo_act.undo_id := coalesce(undo_act.undo_id,
    pgreprise.new_act_id(pgreprise.id_shard('rerun', act.rerun_id)));
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
     reform_impact_ids, removal_id, cache_scopes, idempotency_key, is_archived, undoes, reason)
  values
    (undo_id, 'undo', act.report_id, act.country_id, act.report_type, new_report_runs[1], reset_ids, new_runs,
     overwritten_ids, undo_id, act.cache_scopes, undo_act.idempotency_key, keep_outputs, act.rerun_id, undo_act.reason)
  returning pgreprise.undo_result(undo) into result;
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
     set undone_by = undo_act.undo_id, undone_at = now()
   where undone.rerun_id = own.act.rerun_id;

  return result;
end;
$$;

comment on function pgreprise.undo_act(bigint, boolean, text, jsonb, bigint, text) is
'Puts back what an act cleared, as new runs, unless later results are in the way.';
