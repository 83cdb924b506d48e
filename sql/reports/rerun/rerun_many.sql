-- rerun_many(report_ids, batch_id, done_ids, reason): reruns many reports with a few statements for all of them, for
-- rerun_each(), which rerun_reports() and the batches call. The rules are those of rerun_report(), from the same
-- routines.
-- A simulation that several reports share is reset once, and the act of the first of these reports names its new run.
-- The same is true of cache rows. With a batch_id it is true of the whole batch: a later chunk must not reset a
-- simulation again, because a worker may be computing it for an earlier chunk. done_ids are simulations that the caller
-- has reset already.
-- Returns {"rerun", "refused": [{"report_id", "errcode", "message"}, ...], "simulations_reset",
-- "economy_cache_rows_deleted", "same_key": [{"report_id", "shown_report_id"}, ...]}: same_key are the reports that
-- have the key and version of another report now, with the one that the application shows. Reports that cannot be
-- rerun are refused and not changed.
create or replace function pgreprise.rerun_many(
  report_ids bigint[], batch_id bigint default null, done_ids bigint[] default '{}', reason text default null
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
-- The number of reports is different each time, and so is the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  linked        pgreprise.linked_report[];
  accepted_ids  bigint[];
  refused       jsonb;
  missing       record;
  -- An array, because each jsonb value that grows is copied whole.
  missing_reports jsonb[] := array[]::jsonb[];
  of_country    record;
  first_ids     bigint[];
  reset_ids     bigint[] := array[]::bigint[];
  key_reports   bigint[];
  keys          pgreprise.cache_key[];
  key_versions  text[];
  scopes        jsonb[];
  found_ids     bigint[];
  found_for_ids bigint[];
  removed_ids   bigint[] := array[]::bigint[];
  removal_id    bigint := pgreprise.new_act_id(pgreprise.id_shard('report', rerun_many.report_ids[1]));
  settings      record;
  same_key      jsonb;
begin
  select setting.archive_outputs, setting.has_run_tables into settings from pgreprise.setting as setting;

  -- Locks are taken in the order of a single rerun: reports by id, simulations by id, economy cache rows by id.
  perform pgreprise.lock_reports(rerun_many.report_ids);

  linked := array(select found_report from pgreprise.linked_reports(rerun_many.report_ids) as found_report);
  select coalesce(array_agg(report.report_id order by report.report_id) filter (where report.errcode is null), '{}'),
      coalesce(
        jsonb_agg(
          jsonb_build_object('report_id', report.report_id, 'errcode', report.errcode, 'message', report.message)
          order by report.report_id
        ) filter (where report.errcode is not null),
        '[]'
      )
    into accepted_ids, refused
    from unnest(own.linked) as report;

  for missing in
    select wanted.report_id
      from unnest(rerun_many.report_ids) as wanted(report_id)
    except
    select report.report_id from unnest(own.linked) as report
     order by report_id
  loop
    begin
      perform pgreprise.raise_not_found('report', missing.report_id);
    exception
      when sqlstate 'RR001' then
        missing_reports := missing_reports || jsonb_build_object('report_id', missing.report_id, 'errcode', sqlstate,
          'message', sqlerrm);
    end;
  end loop;
  refused := refused || to_jsonb(missing_reports);

  for of_country in
    select report.package_version as package, report.report_output_version as report,
        array_agg(distinct used.simulation_id) as ids, array_agg(distinct report.report_id) as report_ids
      from unnest(own.linked) as report
     cross join lateral unnest(report.simulation_ids) as used(simulation_id)
     where report.errcode is null
     group by report.country_id, report.package_version, report.report_output_version
  loop
    if rerun_many.batch_id is not null then
      with first_time as (
        insert into pgreprise.rerun_batch_simulation as done (batch_id, simulation_id, api_version)
        select rerun_many.batch_id, used.simulation_id, coalesce(own.of_country.package, '')
          from unnest(own.of_country.ids) as used(simulation_id)
         order by used.simulation_id
        on conflict on constraint rerun_batch_simulation_pkey do nothing
        returning done.simulation_id
      )

      select coalesce(array_agg(first_time.simulation_id), '{}') into first_ids from first_time;
    else
      first_ids := array(
        select used.simulation_id
          from unnest(own.of_country.ids) as used(simulation_id)
         where used.simulation_id <> all (rerun_many.done_ids)
      );
    end if;
    perform pgreprise.end_claims(of_country.report_ids, 'superseded', 'reports were rerun', first_ids);
    perform pgreprise.start_report_runs(of_country.report_ids, settings.archive_outputs,
      api_version => of_country.report);
    perform pgreprise.start_simulation_runs(first_ids, settings.archive_outputs, api_version => of_country.package);
    reset_ids := reset_ids || first_ids;
  end loop;

  select coalesce(array_agg(new_key.report_id), '{}'), coalesce(array_agg(new_key.cache_key), '{}'),
      coalesce(array_agg(new_key.economy_impact_version), '{}'),
      coalesce(array_agg(pgreprise.cache_scope(new_key.cache_key, new_key.economy_impact_version)), '{}')
    into key_reports, keys, key_versions, scopes
    from pgreprise.new_cache_keys(own.linked, rerun_many.batch_id) as new_key;
  select coalesce(array_agg(cached.reform_impact_id), '{}'), coalesce(array_agg(cached.report_id), '{}')
    into found_ids, found_for_ids
    from (
      select found_row.reform_impact_id, min(new_key.report_id) as report_id
        from unnest(own.key_reports, own.keys, own.key_versions) as new_key(report_id, country_id,
          baseline_policy_id, reform_policy_id, region, dataset, time_period, version)
       cross join lateral pgreprise.report_cache_rows(
         row(new_key.country_id, new_key.baseline_policy_id, new_key.reform_policy_id, new_key.region,
           new_key.dataset, new_key.time_period)::pgreprise.cache_key, new_key.version
       ) as found_row
       group by found_row.reform_impact_id
    ) as cached;
  if cardinality(found_ids) > 0 then
    removed_ids := pgreprise.remove_reform_impacts(found_ids, removal_id, settings.archive_outputs);
  end if;

  with accepted as (
    select report.report_id, report.country_id, report.report_type, report.simulation_ids,
        pgreprise.same_key_reports(report.report_id, report.country_id, report.simulation_1_id,
          report.simulation_2_id, report.year, coalesce(report.report_output_version, report.api_version))
          as same_key_report_ids
      from unnest(own.linked) as report
     where report.errcode is null
  ),

  used as (
    select accepted.report_id, simulation.id as simulation_id, simulation.place, row_number() over (
        partition by simulation.id order by accepted.report_id
      ) = 1 and simulation.id = any (own.reset_ids) as is_first
      from accepted
     cross join lateral unnest(accepted.simulation_ids) with ordinality as simulation(id, place)
  ),

  started as (
    select used.report_id,
        array_agg(case when used.is_first then simulation.run_sequence end order by used.place) as run_sequences
      from used
      join public.simulations as simulation on simulation.id = used.simulation_id
     group by used.report_id
  ),

  emptied as (
    select cached.report_id, array_agg(cached.reform_impact_id order by cached.reform_impact_id) as reform_impact_ids
      from unnest(own.found_for_ids, own.found_ids) as cached(report_id, reform_impact_id)
     where cached.reform_impact_id = any (own.removed_ids)
     group by cached.report_id
  ),

  scopes as (
    -- A report has one key, and a key is emptied for one report.
    select emptied_for.report_id, jsonb_build_array(emptied_for.scope) as cache_scopes
      from unnest(own.key_reports, own.scopes) as emptied_for(report_id, scope)
  ),

  acts as (
    insert into pgreprise.rerun as act
      (rerun_id, kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
       reform_impact_ids, removal_id, cache_scopes, same_key_report_ids, batch_id, is_archived,
       reason)
    select pgreprise.new_act_id(pgreprise.id_shard('report', accepted.report_id)), 'rerun', accepted.report_id,
        accepted.country_id, accepted.report_type, report.run_sequence, accepted.simulation_ids,
         started.run_sequences, coalesce(emptied.reform_impact_ids, '{}'), own.removal_id,
        coalesce(scopes.cache_scopes, '[]'), accepted.same_key_report_ids, rerun_many.batch_id,
        own.settings.archive_outputs, rerun_many.reason
      from accepted
      join public.report_outputs as report on report.id = accepted.report_id
      join started on started.report_id = accepted.report_id
      left join emptied on emptied.report_id = accepted.report_id
      left join scopes on scopes.report_id = accepted.report_id
     order by accepted.report_id
    returning act.report_id, act.same_key_report_ids
  )

  select coalesce(
      jsonb_agg(
        jsonb_build_object('report_id', acts.report_id,
          'shown_report_id', greatest(acts.report_id, acts.same_key_report_ids[cardinality(acts.same_key_report_ids)]))
        order by acts.report_id
      ),
      '[]'
    )
    into same_key
    from acts
   where cardinality(acts.same_key_report_ids) > 0;

  if settings.has_run_tables then
    perform pgreprise.add_host_runs('rerun', own.accepted_ids, array_agg(first_use.simulation_id),
        array_agg(first_use.report_id), array_agg(first_use.place))
      from (
        select distinct on (used.simulation_id) used.simulation_id, report.report_id, used.place::integer as place
          from unnest(own.linked) as report
         cross join lateral unnest(report.simulation_ids) with ordinality as used(simulation_id, place)
         where report.errcode is null and used.simulation_id = any (own.reset_ids)
         order by used.simulation_id, report.report_id
      ) as first_use;
  end if;

  perform pgreprise.notify_workers();
  return jsonb_build_object(
    'rerun', cardinality(accepted_ids),
    'refused', refused,
    'simulations_reset', cardinality(reset_ids),
    'economy_cache_rows_deleted', cardinality(removed_ids),
    'same_key', same_key
  );
end;
$$;

comment on function pgreprise.rerun_many(bigint[], bigint, bigint[], text) is
'Reruns many reports by the rules of rerun_report, and lists those that cannot be rerun.';
