-- rerun_many(report_ids, batch_id): rerun many reports, set by set: what rerun_reports() and the batches do. The rules
-- are those of rerun_report(), from the same routines: report_defect, economy_cache_key, reset_reports,
-- reset_simulations, remove_reform_impacts. A simulation that several reports share is reset once, by the first of
-- them; a cache key that they share is emptied once. With a batch_id once in the whole batch: a later chunk must
-- not fence off the worker that computes for an earlier one.
-- Returns {"rerun", "refused": [{"report_id", "errcode", "message"}, ...], "simulations_reset",
-- "economy_cache_rows_deleted"}; reports that cannot be rerun are refused and left alone.
create or replace function pgreprise.rerun_many(report_ids bigint[], batch_id bigint default null)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
-- The number of reports is different each time, and the best plan with it.
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  accepted_ids bigint[];
  refused      jsonb;
  missing      record;
  of_country   record;
  reset_ids    bigint[] := array[]::bigint[];
  first_ids    bigint[];
  new_keys     pgreprise.rerun_batch_cache_key[];
  removed_ids  bigint[];
  removal_id   bigint := nextval('pgreprise.rerun_rerun_id_seq');
  keep_outputs boolean := (select setting.archive_outputs from pgreprise.setting as setting);
begin
  -- Locks in the order of a single rerun: reports by id, simulations by id, economy cache rows by id.
  perform from public.report_outputs as report
    where report.id = any (rerun_many.report_ids)
    order by report.id
      for update;
  perform from public.simulations as simulation
    where simulation.id in (
      select linked.simulation_id
        from public.report_outputs as report
       cross join lateral unnest(array[report.simulation_1_id, report.simulation_2_id]) as linked(simulation_id)
       where report.id = any (rerun_many.report_ids)
    )
    order by simulation.id
      for update;

  select coalesce(array_agg(report.id order by report.id) filter (where defect.errcode is null), '{}'),
      coalesce(
        jsonb_agg(jsonb_build_object('report_id', report.id, 'errcode', defect.errcode, 'message', defect.message)
          order by report.id) filter (where defect.errcode is not null),
        '[]'
      )
    into accepted_ids, refused
    from public.report_outputs as report
    left join public.simulations as simulation_1
      on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
    left join public.simulations as simulation_2
      on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
    left join pgreprise.country as country on country.country_id = report.country_id
    left join lateral pgreprise.report_defect(report.id, report.country_id, report.year, report.simulation_1_id,
      simulation_1.population_type, report.simulation_2_id, simulation_2.population_type,
      country.economy_impact_version) as defect on true
   where report.id = any (rerun_many.report_ids);

  for missing in
    select wanted.report_id
      from unnest(rerun_many.report_ids) as wanted(report_id)
    except
    select report.id from public.report_outputs as report where report.id = any (rerun_many.report_ids)
     order by report_id
  loop
    begin
      perform pgreprise.raise_report_not_found(missing.report_id);
    exception
      when sqlstate 'RR001' then
        refused := refused || jsonb_build_object('report_id', missing.report_id, 'errcode', sqlstate,
          'message', sqlerrm);
    end;
  end loop;

  for of_country in
    select linked.country_id, country.package_version as package, array_agg(distinct linked.simulation_id) as ids
      from (
        select report.country_id, used.simulation_id
          from public.report_outputs as report
         cross join lateral unnest(array[report.simulation_1_id, report.simulation_2_id]) as used(simulation_id)
         where report.id = any (own.accepted_ids)
      ) as linked
      left join pgreprise.country as country on country.country_id = linked.country_id
     where linked.simulation_id is not null
     group by linked.country_id, country.package_version
  loop
    if rerun_many.batch_id is not null then
      with first_time as (
        insert into pgreprise.rerun_batch_simulation as done (batch_id, simulation_id)
        select rerun_many.batch_id, linked.simulation_id
          from unnest(own.of_country.ids) as linked(simulation_id)
         order by linked.simulation_id
        on conflict on constraint rerun_batch_simulation_pkey do nothing
        returning done.simulation_id
      )

      select coalesce(array_agg(first_time.simulation_id), '{}') into first_ids from first_time;
    else
      first_ids := of_country.ids;
    end if;
    perform pgreprise.reset_simulations(first_ids, of_country.package, keep_outputs);
    reset_ids := reset_ids || first_ids;
  end loop;
  perform pgreprise.reset_reports(accepted_ids, keep_outputs);

  new_keys := pgreprise.new_cache_keys(accepted_ids, rerun_many.batch_id);
  removed_ids := array(
    select impact.reform_impact_id
      from unnest(own.new_keys) as cache_key
      join public.reform_impact as impact
        on impact.country_id = cache_key.country_id
       and impact.baseline_policy_id = cache_key.baseline_policy_id
       and impact.reform_policy_id = cache_key.reform_policy_id
       and impact.region = cache_key.region
       and impact.dataset = cache_key.dataset
       and impact.time_period = cache_key.time_period
       and impact.options_hash = cache_key.options_hash
       and impact.api_version = cache_key.api_version
     order by impact.reform_impact_id
       for update of impact
  );

  -- What is shared goes down under the first report that uses it.
  with linked as (
    select report.id, report.country_id, report.run_sequence, simulation_1.population_type,
        report.simulation_1_id, nullif(report.simulation_2_id, report.simulation_1_id) as simulation_2_id,
        simulation_1.run_sequence as simulation_1_run, simulation_2.run_sequence as simulation_2_run,
        cache_key.baseline_policy_id, cache_key.reform_policy_id, cache_key.region, cache_key.dataset,
        cache_key.time_period, cache_key.options_hash
      from public.report_outputs as report
      join public.simulations as simulation_1 on simulation_1.id = report.simulation_1_id
      left join public.simulations as simulation_2 on simulation_2.id = report.simulation_2_id
     cross join lateral pgreprise.economy_cache_key(report.country_id, report.year, simulation_1.population_id,
       simulation_1.policy_id, simulation_2.policy_id) as cache_key
     where report.id = any (own.accepted_ids)
  ),

  first_use as (
    select distinct on (used.simulation_id) used.simulation_id, linked.id as report_id
      from linked
     cross join lateral (values (linked.simulation_1_id), (linked.simulation_2_id)) as used(simulation_id)
     where used.simulation_id = any (own.reset_ids)
     order by used.simulation_id, linked.id
  ),

  emptied as (
    select impact.country_id, impact.baseline_policy_id, impact.reform_policy_id, impact.region, impact.dataset,
        impact.time_period, impact.options_hash,
        array_agg(impact.reform_impact_id order by impact.reform_impact_id) as reform_impact_ids
      from public.reform_impact as impact
     where impact.reform_impact_id = any (own.removed_ids)
     group by impact.country_id, impact.baseline_policy_id, impact.reform_policy_id, impact.region, impact.dataset,
       impact.time_period, impact.options_hash
  ),

  first_of_key as (
    select distinct on (
          emptied.country_id, emptied.baseline_policy_id, emptied.reform_policy_id, emptied.region, emptied.dataset,
          emptied.time_period, emptied.options_hash
        ) linked.id as report_id, emptied.reform_impact_ids
      from emptied
      join linked
        on linked.country_id = emptied.country_id
       and linked.baseline_policy_id = emptied.baseline_policy_id
       and linked.reform_policy_id = emptied.reform_policy_id
       and linked.region = emptied.region
       and linked.dataset = emptied.dataset
       and linked.time_period = emptied.time_period
       and linked.options_hash = emptied.options_hash
     where linked.population_type = 'geography'
     order by emptied.country_id, emptied.baseline_policy_id, emptied.reform_policy_id, emptied.region,
       emptied.dataset, emptied.time_period, emptied.options_hash, linked.id
  )

  insert into pgreprise.rerun as act
    (kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
     reform_impact_ids, removal_id, batch_id, is_archived)
  select 'rerun', linked.id, linked.country_id, linked.population_type, linked.run_sequence,
      case when linked.simulation_2_id is null then array[linked.simulation_1_id]
        else array[linked.simulation_1_id, linked.simulation_2_id] end,
      case when linked.simulation_2_id is null then array[case when first_1.report_id is not null
          then linked.simulation_1_run end]
        else array[case when first_1.report_id is not null then linked.simulation_1_run end,
          case when first_2.report_id is not null then linked.simulation_2_run end] end,
      coalesce(first_of_key.reform_impact_ids, '{}'), own.removal_id, rerun_many.batch_id, own.keep_outputs
    from linked
    left join first_use as first_1
      on first_1.simulation_id = linked.simulation_1_id and first_1.report_id = linked.id
    left join first_use as first_2
      on first_2.simulation_id = linked.simulation_2_id and first_2.report_id = linked.id
    left join first_of_key on first_of_key.report_id = linked.id
   order by linked.id;

  if cardinality(removed_ids) > 0 then
    perform pgreprise.remove_reform_impacts(removed_ids, removal_id, keep_outputs);
  end if;

  return jsonb_build_object(
    'rerun', cardinality(accepted_ids),
    'refused', refused,
    'simulations_reset', cardinality(reset_ids),
    'economy_cache_rows_deleted', cardinality(removed_ids)
  );
end;
$$;

comment on function pgreprise.rerun_many(bigint[], bigint) is
'Reruns many reports set by set, by the rules of rerun_report; those that cannot be rerun are listed.';
