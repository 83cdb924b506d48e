-- rerun_report(report_id, country_id, idempotency_key, reason, seen, result): puts a report and its simulations back to
-- pending, each as its next run, and deletes the economy cache rows of an economy report. On any error nothing is
-- changed.
-- A report can be rerun whatever its status is. With country_id the report must be of that country.
-- The report gets the current report version of its country, and its simulations the current package version: the
-- application shows a report of another version under its id no more.
--
-- What is cleared is archived, and a row of pgreprise.rerun tells who did what and why, so that undo_rerun() can undo
-- it.
-- With an idempotency_key the rerun is done once: a second call with the same key for the same report returns the
-- first result and changes nothing.
-- seen is the token of a preview (rerun_preview). With it the rerun is refused when it would do something else than the
-- preview has said; report_seen() tells what counts.
--
-- The cache rows are those that answer the report's request (see economy_cache_key and answers_request) with the
-- country's current economy cache version, whatever their status. All other rows are kept.
-- Where the application has tables of runs of its own, the next runs are added there too (add_host_runs).
--
-- result: {"report_id", "report_type": "household" | "geography", "simulation_ids": [...],
-- "economy_cache_rows_deleted", "cache_scopes": [...], "run_sequence", "rerun_id", "same_key_report_ids": [...],
-- "shown_report_id"}. A simulation that is linked twice is listed once. cache_scopes name what a cache outside the
-- database has to forget (see cache_scope); same_key_report_ids are other reports that have the same key and version
-- now, of which the application shows shown_report_id.
-- Raises RR001 no such report, RR002 a simulation does not exist, RR003 mixed population types, RR004 unknown
-- population type, RR005 no year, RR006 no economy cache version, RR008 no such country, RR012 the key was used for
-- something else, RR014 the rerun of the key was undone, RR016 an impossible key, reason or token of a preview, RR017
-- the caller's token may not, RR029 something has moved since the preview.
create or replace procedure public.rerun_report(
  report_id bigint,
  country_id text default null,
  idempotency_key text default null,
  reason text default null,
  seen text default null,
  inout result jsonb default null
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- Every statement finds its rows by their key, so one plan is right for all values: it is made once a session.
set plan_cache_mode = 'force_generic_plan'
as $$
-- The table of an older application has no column report_spec_json. Then the name means the variable, which is null.
#variable_conflict use_column
<<own>>
declare
  report_spec_json constant json := null;
  target           record;
  linked           record;
  settings         record;
  defect           record;
  rerun_id         bigint;
  used_id          bigint;
  report_runs      integer[];
  simulation_runs  integer[];
  cache_key        pgreprise.cache_key;
  cache_scopes     jsonb := jsonb_build_array();
  removed_ids      bigint[] := array[]::bigint[];
  taken_key        text;
  was_seen         jsonb;
  seen_runs        jsonb;
begin
  perform pgreprise.enter('reports:rerun');

  select report.id, report.country_id, report.year, report.simulation_1_id, report.simulation_2_id,
      report.api_version, report.run_sequence, report_spec_json ->> 'dataset' as dataset
    into target
    from public.report_outputs as report
   where report.id = rerun_report.report_id
     and (rerun_report.country_id is null or report.country_id = rerun_report.country_id)
     for no key update;
  if not found then
    if rerun_report.country_id is not null then
      perform pgreprise.require_country(rerun_report.country_id);
    end if;
    perform pgreprise.raise_not_found('report', rerun_report.report_id, rerun_report.country_id);
  end if;

  rerun_id := pgreprise.new_act_id(pgreprise.id_shard('report', target.id));
  if rerun_report.idempotency_key is not null then
    used_id := pgreprise.use_idempotency_key(rerun_report.idempotency_key, 'rerun', target.id, rerun_id);
    if used_id is not null then
      select pgreprise.rerun_result(act) into result
        from pgreprise.rerun as act
       where act.rerun_id = own.used_id;
      return;
    end if;
  end if;

  linked := pgreprise.lock_linked_simulations(target.country_id, target.simulation_1_id, target.simulation_2_id);

  select setting.archive_outputs, setting.has_run_tables, setting.notify_workers, country.country_id,
      country.economy_impact_version, country.package_version,
      coalesce(country.report_output_version, own.target.api_version) as report_version,
      exists (
        select from pgreprise.claims_on(array[own.target.id], own.linked.simulation_ids)
      ) as has_claims
    into settings
    from pgreprise.setting as setting
    left join pgreprise.country as country on country.country_id = own.target.country_id;
  -- What enter() does where it is given a country; here the country is read anyway.
  if settings.country_id is null and rerun_report.country_id is not null then
    perform pgreprise.require_country(rerun_report.country_id);
  end if;

  if pgreprise.report_defect_code(target.year, target.simulation_1_id, linked.population_type_1,
    target.simulation_2_id, linked.population_type_2, settings.economy_impact_version) is not null
  then
    select found_defect.errcode, found_defect.message, found_defect.detail, found_defect.hint
      into defect
      from pgreprise.report_defect(target.id, target.country_id, target.year, target.simulation_1_id,
        linked.population_type_1, target.simulation_2_id, linked.population_type_2, settings.economy_impact_version)
        as found_defect;
    raise exception using
      errcode = defect.errcode, message = defect.message, detail = defect.detail, hint = defect.hint;
  end if;

  if rerun_report.seen is not null then
    was_seen := pgreprise.read_seen(rerun_report.seen, 'report');
    -- The runs that end now. What the token says is compared below, when the cache rows are locked and deleted.
    seen_runs := (
      select jsonb_object_agg(simulation.id, simulation.run_sequence)
        from public.simulations as simulation
       where simulation.id = any (own.linked.simulation_ids)
    );
  end if;

  if settings.has_claims then
    perform pgreprise.end_claims(array[target.id], 'superseded',
      format('report #%s was rerun', target.id), linked.simulation_ids);
  end if;
  report_runs := pgreprise.start_report_runs(array[target.id], settings.archive_outputs,
    api_version => settings.report_version);
  simulation_runs := pgreprise.start_simulation_runs(linked.simulation_ids, settings.archive_outputs,
    api_version => settings.package_version);
  if settings.has_run_tables then
    perform pgreprise.add_host_runs('rerun', array[target.id], linked.simulation_ids,
      array_fill(target.id, array[cardinality(linked.simulation_ids)]), array[1, 2]);
  end if;
  -- The runs come in the order of the ids, the simulations in the order of the links.
  if linked.simulation_ids[1] > linked.simulation_ids[2] then
    simulation_runs := array[simulation_runs[2], simulation_runs[1]];
  end if;

  if linked.population_type_1 = 'geography' then
    cache_key := pgreprise.economy_cache_key(target.country_id, target.year, linked.region,
      linked.baseline_policy_id, linked.reform_policy_id, target.dataset);
    cache_scopes := jsonb_build_array(pgreprise.cache_scope(cache_key, settings.economy_impact_version));
    removed_ids := array(
      select cached.reform_impact_id
        from pgreprise.report_cache_rows(own.cache_key, own.settings.economy_impact_version) as cached
    );
    if cardinality(removed_ids) > 0 then
      removed_ids := pgreprise.remove_reform_impacts(removed_ids, rerun_id, settings.archive_outputs);
    end if;
  end if;

  if rerun_report.seen is not null then
    perform pgreprise.require_seen(was_seen, pgreprise.report_seen(target.id, target.run_sequence, seen_runs,
      settings.report_version, settings.package_version, settings.economy_impact_version, cache_key, removed_ids),
      'report', target.id);
  end if;

  insert into pgreprise.rerun as act
    (rerun_id, kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
     reform_impact_ids, removal_id, cache_scopes, same_key_report_ids, idempotency_key, is_archived,
     reason)
  values
    (rerun_id, 'rerun', target.id, target.country_id, linked.population_type_1, report_runs[1],
     linked.simulation_ids, simulation_runs, removed_ids, rerun_id, cache_scopes,
     pgreprise.same_key_reports(target.id, target.country_id, target.simulation_1_id, target.simulation_2_id,
       target.year, settings.report_version), rerun_report.idempotency_key, settings.archive_outputs,
     case when rerun_report.reason is not null then pgreprise.checked_reason(rerun_report.reason) end)
  returning pgreprise.rerun_result(act) into result;
  if settings.notify_workers then
    perform pgreprise.notify_workers();
  end if;
exception
  when lock_not_available then
    perform pgreprise.raise_report_wait(array[rerun_report.report_id]);
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind('RR023', taken_key);
    raise;
end;
$$;

comment on procedure public.rerun_report is
'Puts a report and its simulations back to pending and deletes its economy cache rows, in one transaction. '
'call rerun_report(42) prints what it did; undo_rerun() undoes it.';

grant execute on procedure public.rerun_report(bigint, text, text, text, text, jsonb) to pgreprise_api, pgreprise_dba;
