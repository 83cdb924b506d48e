-- undo_act(rerun_id, force): put back what an act of pgreprise.rerun cleared, as new runs: status, output, error
-- and version of the report and the simulations, and the economy cache rows with their ids. What a rerun of one
-- report and the undo of a batch do alike. With force what has moved on since is archived first and overwritten.
-- Returns {"rerun_id", "undo_id", "report_id", "report_type", "simulation_ids", "economy_cache_rows_restored",
-- "run_sequence"}.
-- Raises RR010 when something has moved on, RR013 no such rerun, RR014 when it was undone or purged already, was
-- never archived, or is an undo itself.
create or replace function pgreprise.undo_act(rerun_id bigint, force boolean)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  act             pgreprise.rerun;
  report          record;
  simulation      record;
  linked          record;
  refused         text;
  moved           text[] := array[]::text[];
  gone            boolean := false;
  restored_ids    bigint[] := array[]::bigint[];
  restored_runs   integer[] := array[]::integer[];
  overwritten_ids bigint[] := array[]::bigint[];
  new_report_run  integer;
  new_run         integer;
  undo_id         bigint;
  keep_outputs    boolean;
begin
  select found_act.* into act from pgreprise.rerun as found_act where found_act.rerun_id = undo_act.rerun_id;
  if not found then
    perform pgreprise.raise_rerun_not_found(undo_act.rerun_id);
  end if;

  -- Locks as in a rerun: the report, the simulations by id, and then the act itself, which another undo or a
  -- purge may have changed meanwhile.
  if act.report_id is not null then
    select stored.id, stored.run_sequence, stored.status,
        stored.output is not null or stored.error_message is not null as has_result
      into report
      from public.report_outputs as stored
     where stored.id = own.act.report_id
       for update;
    moved := moved || pgreprise.undo_obstacle('report', act.report_id, report.run_sequence, report.status,
      report.has_result, act.run_sequence);
    -- Runs never go back: at an earlier one it is another row, which has the id of one that was deleted.
    gone := report.id is null or report.run_sequence < act.run_sequence;
  end if;

  for linked in
    select reset.simulation_id, reset.started_run
      from unnest(act.simulation_ids, act.simulation_run_sequences) as reset(simulation_id, started_run)
     where reset.started_run is not null
     order by reset.simulation_id
  loop
    select stored.id, stored.run_sequence, stored.status,
        stored.output is not null or stored.error_message is not null as has_result
      into simulation
      from public.simulations as stored
     where stored.id = own.linked.simulation_id
       for update;
    moved := moved || pgreprise.undo_obstacle('simulation', linked.simulation_id, simulation.run_sequence,
      simulation.status, simulation.has_result, linked.started_run);
    gone := gone or simulation.id is null or simulation.run_sequence < linked.started_run;
    restored_ids := restored_ids || linked.simulation_id;
  end loop;

  select found_act.* into act
    from pgreprise.rerun as found_act
   where found_act.rerun_id = undo_act.rerun_id
     for update;

  refused := case
    when act.kind = 'undo' then format('Rerun #%s is an undo.', act.rerun_id)
    when act.undone_by is not null
      then format('Rerun #%s was undone already, at %s by undo #%s.', act.rerun_id, act.undone_at, act.undone_by)
    when not act.is_archived
      then format('Rerun #%s kept no outputs: archive_outputs was off.', act.rerun_id)
    when act.purged_at is not null
      then format('What rerun #%s cleared was purged at %s.', act.rerun_id, act.purged_at)
  end;
  if refused is not null then
    raise exception using
      errcode = 'RR014',
      message = refused || ' It cannot be undone.',
      detail = jsonb_build_object('rerun_id', act.rerun_id, 'report_id', act.report_id),
      hint = 'Nothing was changed. select * from report_history(<report_id>) shows what can be undone.';
  end if;

  -- A row of the same key that came after, and one that took the id of a deleted row.
  overwritten_ids := array(
    select impact.reform_impact_id
      from (
        select distinct archived.country_id, archived.baseline_policy_id, archived.reform_policy_id, archived.region,
            archived.dataset, archived.time_period, archived.options_hash, archived.api_version
          from pgreprise.reform_impact_archive as archived
         where archived.removal_id = own.act.removal_id
           and archived.reform_impact_id = any (own.act.reform_impact_ids)
      ) as cache_key
      join public.reform_impact as impact
        on impact.country_id = cache_key.country_id
       and impact.baseline_policy_id = cache_key.baseline_policy_id
       and impact.reform_policy_id = cache_key.reform_policy_id
       and impact.region = cache_key.region
       and impact.dataset = cache_key.dataset
       and impact.time_period = cache_key.time_period
       and impact.options_hash is not distinct from cache_key.options_hash
       and impact.api_version = cache_key.api_version
     -- delete_reform_impacts may have left rows of the key, of another status.
     where impact.reform_impact_id <> all (own.act.kept_reform_impact_ids)
     order by impact.reform_impact_id
       for update of impact
  );
  if cardinality(overwritten_ids) > 0 then
    moved := moved || format('economy cache rows were computed anew (#%s)', array_to_string(overwritten_ids, ', #'));
  end if;
  if exists (
    select from public.reform_impact as impact
     where impact.reform_impact_id = any (own.act.reform_impact_ids)
       and impact.reform_impact_id <> all (own.overwritten_ids)
  ) then
    moved := moved || 'other economy cache rows have taken the ids of the deleted ones'::text;
    gone := true;
  end if;

  moved := array_remove(moved, null);
  keep_outputs := (select setting.archive_outputs from pgreprise.setting as setting);
  undo_id := nextval('pgreprise.rerun_rerun_id_seq');
  if cardinality(moved) = 0 or (undo_act.force and not gone) then
    begin
      if cardinality(overwritten_ids) > 0 then
        perform pgreprise.remove_reform_impacts(overwritten_ids, undo_id, keep_outputs);
      end if;
      if cardinality(act.reform_impact_ids) > 0 then
        perform pgreprise.restore_reform_impacts(act.removal_id, act.reform_impact_ids);
      end if;
    exception
      -- The host's own constraints, or types that are narrower than they were.
      when integrity_constraint_violation or data_exception then
        moved := moved || format('the economy cache rows no longer fit into their table (%s)', sqlerrm);
        gone := true;
    end;
  end if;

  if cardinality(moved) > 0 and (gone or not undo_act.force) then
    raise exception using
      errcode = 'RR010',
      message = format('Rerun #%s cannot be undone, since things have moved on: %s.', act.rerun_id,
        array_to_string(moved, '; ')),
      detail = jsonb_build_object('rerun_id', act.rerun_id, 'report_id', act.report_id, 'moved', moved),
      hint = case when gone
        then 'Nothing was changed. Rerun the report instead, so that it is computed again.'
        else format('Nothing was changed. Undo what came later first, newest first; or let a member of pgreprise_dba '
          'overwrite it, which archives it: call undo_rerun(%s, force => true)', act.rerun_id) end;
  end if;

  if act.report_id is not null then
    perform pgreprise.archive_reports(array[act.report_id], keep_outputs);
    update public.report_outputs as stored
       set status = run.status,
           output = run.output,
           error_message = run.error_message,
           api_version = run.api_version,
           run_sequence = stored.run_sequence + 1
      from pgreprise.report_run as run
     where stored.id = own.act.report_id
       and run.report_id = own.act.report_id
       and run.run_sequence = own.act.run_sequence - 1
    returning stored.run_sequence into new_report_run;
    insert into pgreprise.restored_run (row_kind, row_id, run_sequence, restores_run)
    values ('report', act.report_id, new_report_run,
      pgreprise.original_run('report', act.report_id, act.run_sequence - 1));
  end if;

  perform pgreprise.archive_simulations(restored_ids, keep_outputs);
  for linked in
    select reset.simulation_id, reset.started_run - 1 as ended_run
      from unnest(act.simulation_ids, act.simulation_run_sequences) as reset(simulation_id, started_run)
     where reset.started_run is not null
     order by reset.simulation_id
  loop
    update public.simulations as stored
       set status = run.status,
           output = run.output,
           error_message = run.error_message,
           api_version = run.api_version,
           run_sequence = stored.run_sequence + 1
      from pgreprise.simulation_run as run
     where stored.id = own.linked.simulation_id
       and run.simulation_id = own.linked.simulation_id
       and run.run_sequence = own.linked.ended_run
    returning stored.run_sequence into new_run;
    restored_runs := restored_runs || new_run;
    insert into pgreprise.restored_run (row_kind, row_id, run_sequence, restores_run)
    values ('simulation', linked.simulation_id, new_run,
      pgreprise.original_run('simulation', linked.simulation_id, linked.ended_run));
  end loop;

  insert into pgreprise.rerun as undo
    (rerun_id, kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
     reform_impact_ids, removal_id, is_archived, undoes)
  values
    (undo_id, 'undo', act.report_id, act.country_id, act.report_type, new_report_run, restored_ids,
     restored_runs, overwritten_ids, undo_id, keep_outputs, act.rerun_id);
  update pgreprise.rerun as undone
     set undone_by = own.undo_id, undone_at = now()
   where undone.rerun_id = own.act.rerun_id;

  return jsonb_build_object(
    'rerun_id', act.rerun_id,
    'undo_id', undo_id,
    'report_id', act.report_id,
    'report_type', act.report_type,
    'simulation_ids', restored_ids,
    'economy_cache_rows_restored', cardinality(act.reform_impact_ids),
    'run_sequence', new_report_run
  );
end;
$$;

comment on function pgreprise.undo_act(bigint, boolean) is
'Puts back what a rerun cleared, as new runs, unless things have moved on.';
