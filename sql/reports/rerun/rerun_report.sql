-- rerun_report(report_id, country_id, idempotency_key, result): put a report and its simulations back to
-- pending, each as its next run, and, for an economy report, delete its economy cache rows: all of it or, on any
-- error, nothing. Any report may be rerun, whatever its status. With country_id the report must be of that country.
--
-- What is cleared is archived, and a row of pgreprise.rerun tells what was done by whom: undo_rerun() takes it back.
-- With an idempotency_key the rerun is done once: the key again, for the same report, gives the first result and
-- changes nothing.
--
-- Which cache rows: those of the report's key (see economy_cache_key, and its assumptions) with the
-- country's current economy cache version, whatever their status. Every other row is kept.
--
-- result: {"report_id", "report_type": "household" | "geography", "simulation_ids": [...],
-- "economy_cache_rows_deleted", "run_sequence", "rerun_id"}. A simulation that is linked twice is listed once.
-- Raises RR001 no such report, RR002 missing simulation, RR003 mismatched population types, RR004 unknown
-- population type, RR005 no year, RR006 no economy cache version, RR008 no such country, RR012 a key of another
-- report, RR014 a key whose rerun was undone, RR016 a key that cannot be one, RR017 the caller's token may not.
create or replace procedure public.rerun_report(
  report_id bigint,
  country_id text default null,
  idempotency_key text default null,
  inout result jsonb default null
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Every statement finds its rows by their key, so one plan is right for all values: it is made once a session.
set plan_cache_mode = 'force_generic_plan'
as $$
<<own>>
declare
  target            record;
  claimed           record;
  simulation_id     bigint;
  linked            record;
  simulation_ids    bigint[];
  report_runs       integer[];
  simulation_runs   integer[];
  population_type_1 text;
  population_type_2 text;
  region            text;
  baseline_policy   bigint;
  reform_policy     bigint;
  current_versions  record;
  defect            record;
  economy_key       record;
  removed_ids       bigint[] := array[]::bigint[];
  rerun_id          bigint;
  keep_outputs      boolean;
begin
  perform pgreprise.enter('reports:rerun', rerun_report.country_id);

  select report.id, report.country_id, report.year, report.simulation_1_id, report.simulation_2_id
    into target
    from public.report_outputs as report
   where report.id = rerun_report.report_id
     and (rerun_report.country_id is null or report.country_id = rerun_report.country_id)
     for update;
  if not found then
    perform pgreprise.raise_report_not_found(rerun_report.report_id, rerun_report.country_id);
  end if;

  if rerun_report.idempotency_key is not null then
    claimed := pgreprise.claim_rerun_key(rerun_report.idempotency_key, target.id);
    if not claimed.is_new then
      select pgreprise.rerun_result(act.rerun_id, act.report_id, act.report_type, act.simulation_ids,
          act.economy_cache_rows_deleted, act.run_sequence)
        into result
        from pgreprise.rerun as act
       where act.rerun_id = claimed.rerun_id;
      return;
    end if;
    rerun_id := claimed.rerun_id;
  else
    rerun_id := nextval('pgreprise.rerun_rerun_id_seq');
  end if;

  simulation_ids := array_remove(
    array[target.simulation_1_id, nullif(target.simulation_2_id, target.simulation_1_id)], null);

  -- Simulations are locked one by one in id order, as everywhere: reports that share them cannot deadlock.
  foreach simulation_id in array array[
    least(target.simulation_1_id, target.simulation_2_id),
    nullif(greatest(target.simulation_1_id, target.simulation_2_id),
      least(target.simulation_1_id, target.simulation_2_id))
  ] loop
    continue when simulation_id is null;

    select simulation.population_type, simulation.population_id, simulation.policy_id
      into linked
      from public.simulations as simulation
     where simulation.id = own.simulation_id and simulation.country_id = own.target.country_id
       for update;

    if simulation_id = target.simulation_1_id then
      population_type_1 := linked.population_type;
      region := linked.population_id;
      baseline_policy := linked.policy_id;
    end if;
    if simulation_id = target.simulation_2_id then
      population_type_2 := linked.population_type;
      reform_policy := linked.policy_id;
    end if;
  end loop;

  select country.economy_impact_version as economy, country.package_version as package
    into current_versions
    from pgreprise.country as country
   where country.country_id = target.country_id;

  select found_defect.errcode, found_defect.message, found_defect.detail, found_defect.hint
    into defect
    from pgreprise.report_defect(target.id, target.country_id, target.year, target.simulation_1_id, population_type_1,
      target.simulation_2_id, population_type_2, current_versions.economy) as found_defect;
  if found then
    raise exception using
      errcode = defect.errcode, message = defect.message, detail = defect.detail, hint = defect.hint;
  end if;

  keep_outputs := pgreprise.setting('archive_outputs') = 'on';
  report_runs := pgreprise.reset_reports(array[target.id], keep_outputs);
  simulation_runs := pgreprise.reset_simulations(simulation_ids, current_versions.package, keep_outputs);
  -- They come by id, and the simulations stand as they are linked.
  if simulation_ids[1] > simulation_ids[2] then
    simulation_runs := array[simulation_runs[2], simulation_runs[1]];
  end if;

  if population_type_1 = 'geography' then
    select cache_key.* into economy_key
      from pgreprise.economy_cache_key(target.country_id, target.year, region, baseline_policy, reform_policy)
        as cache_key;
    removed_ids := pgreprise.lock_reform_impacts(economy_key.country_id, economy_key.baseline_policy_id,
      economy_key.reform_policy_id, economy_key.region, economy_key.dataset, economy_key.time_period,
      economy_key.options_hash, current_versions.economy);
    if cardinality(removed_ids) > 0 then
      perform pgreprise.remove_reform_impacts(removed_ids, rerun_id, keep_outputs);
    end if;
  end if;

  insert into pgreprise.rerun as act
    (rerun_id, kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
     reform_impact_ids, removal_id, idempotency_key, is_archived)
  values
    (rerun_id, 'rerun', target.id, target.country_id, population_type_1, report_runs[1], simulation_ids,
     simulation_runs, removed_ids, rerun_id, rerun_report.idempotency_key, keep_outputs)
  returning pgreprise.rerun_result(act.rerun_id, act.report_id, act.report_type, act.simulation_ids,
      act.economy_cache_rows_deleted, act.run_sequence)
    into result;
end;
$$;

comment on procedure public.rerun_report is
'Puts a report and its simulations back to pending and deletes its economy cache rows, in one transaction. '
'call rerun_report(42) prints what it did; undo_rerun() takes it back.';

grant execute on procedure public.rerun_report(bigint, text, text, jsonb) to pgreprise_api, pgreprise_dba;
