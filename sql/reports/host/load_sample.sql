-- load_sample: creates a few reports of each type, with their simulations and economy cache rows, to try things out
-- with (`pgreprise sample load`). It makes the sample's versions current for us and uk. The migrating role runs the
-- file as one text, so it is one transaction.
-- Returns one row for each report: report_id, country_id, report_type, shows.
-- Raises 55000, and changes nothing, when one of the three tables has rows.
do $$
declare
  us_economy constant text := 'e158e63ef1';
  us_report  constant text := 'r147f26ed1';
  us_package constant text := '1.633.2';
  uk_economy constant text := 'e14ffef0ad';
  uk_report  constant text := 'r13d55aef1';
  uk_package constant text := '2.31.0';
  filled     text;

  uk_family   bigint;
  us_family   bigint;
  us_family_2 bigint;
  uk_all      bigint;
  ny_current  bigint;
  ny_credit   bigint;
  ny_flat_tax bigint;
  ca_current  bigint;
  shown       jsonb := '[]';
  report_id   bigint;
begin
  lock table public.report_outputs in share row exclusive mode;
  lock table public.simulations in share row exclusive mode;
  lock table public.reform_impact in share row exclusive mode;

  select string_agg(found.table_name, ', ') into filled
    from (
      select 'report_outputs' as table_name where exists (select from public.report_outputs)
      union all
      select 'simulations' where exists (select from public.simulations)
      union all
      select 'reform_impact' where exists (select from public.reform_impact)
    ) as found;
  if filled is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('The sample needs empty tables, but these have rows: %s. Nothing was changed.', filled),
      hint = 'Load the sample into a database of its own.';
  end if;

  perform public.set_cache_versions('us', economy_impact => us_economy, report_output => us_report,
    package => us_package);
  perform public.set_cache_versions('uk', economy_impact => uk_economy, report_output => uk_report,
    package => uk_package);

  -- Household, one simulation.
  insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
  values ('uk', uk_package, '40000', 'household', 1, 'complete',
    '{"households": {"your household": {"household_net_income": {"2025": 31840.25}}}}')
  returning id into uk_family;
  insert into public.report_outputs (country_id, simulation_1_id, api_version, status, output, year)
  values ('uk', uk_family, uk_report, 'complete', '{"household_net_income": 31840.25}', '2025')
  returning id into report_id;
  shown := shown || jsonb_build_object('report_id', report_id, 'country_id', 'uk', 'report_type', 'household',
    'shows', 'a household report with one simulation');

  -- Household, two simulations.
  insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
  values ('us', us_package, '40012', 'household', 2, 'complete',
    '{"households": {"your household": {"household_net_income": {"2025": 58210}}}}')
  returning id into us_family;
  insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
  values ('us', us_package, '40012', 'household', 80017, 'complete',
    '{"households": {"your household": {"household_net_income": {"2025": 60210}}}}')
  returning id into us_family_2;
  insert into public.report_outputs (
    country_id, simulation_1_id, simulation_2_id, api_version, status, output, year
  )
  values ('us', us_family, us_family_2, us_report, 'complete',
    '{"baseline": 58210, "reform": 60210, "difference": 2000}', '2025')
  returning id into report_id;
  shown := shown || jsonb_build_object('report_id', report_id, 'country_id', 'us', 'report_type', 'household',
    'shows', 'a household report with two simulations');

  -- Economy, one simulation: baseline and reform are the same policy.
  insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
  values ('uk', uk_package, 'uk', 'geography', 1, 'complete', '{"budget": {"total_tax": 1029000000000}}')
  returning id into uk_all;
  insert into public.report_outputs (country_id, simulation_1_id, api_version, status, output, year)
  values ('uk', uk_all, uk_report, 'complete', '{"budget": {"budgetary_impact": 0}}', '2025')
  returning id into report_id;
  shown := shown || jsonb_build_object('report_id', report_id, 'country_id', 'uk', 'report_type', 'geography',
    'shows', 'an economy report with one simulation and 1 cache row');

  -- Economy, two simulations.
  insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
  values ('us', us_package, 'state/ny', 'geography', 2, 'complete', '{"budget": {"total_tax": 212000000000}}')
  returning id into ny_current;
  insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
  values ('us', us_package, 'state/ny', 'geography', 80017, 'complete', '{"budget": {"total_tax": 209500000000}}')
  returning id into ny_credit;
  insert into public.report_outputs (
    country_id, simulation_1_id, simulation_2_id, api_version, status, output, year
  )
  values ('us', ny_current, ny_credit, us_report, 'complete',
    '{"budget": {"budgetary_impact": -2500000000}, "poverty": {"change": -0.011}}', '2025')
  returning id into report_id;
  shown := shown || jsonb_build_object('report_id', report_id, 'country_id', 'us', 'report_type', 'geography',
    'shows', 'an economy report with two simulations and 3 cache rows');

  -- Shares the baseline simulation of the report before it.
  insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
  values ('us', us_package, 'state/ny', 'geography', 80021, 'complete', '{"budget": {"total_tax": 214100000000}}')
  returning id into ny_flat_tax;
  insert into public.report_outputs (
    country_id, simulation_1_id, simulation_2_id, api_version, status, output, year
  )
  values ('us', ny_current, ny_flat_tax, us_report, 'complete', '{"budget": {"budgetary_impact": 2100000000}}', '2025')
  returning id into report_id;
  shown := shown || jsonb_build_object('report_id', report_id, 'country_id', 'us', 'report_type', 'geography',
    'shows', 'an economy report that shares simulation #' || ny_current || ' with the one before');

  -- One that failed.
  insert into public.simulations (
    country_id, api_version, population_id, population_type, policy_id, status, error_message
  )
  values ('us', us_package, 'state/ca', 'geography', 2, 'error', 'Simulation API execution failed: worker lost')
  returning id into ca_current;
  insert into public.report_outputs (country_id, simulation_1_id, api_version, status, error_message, year)
  values ('us', ca_current, us_report, 'error', 'Simulation API execution failed: worker lost', '2025')
  returning id into report_id;
  shown := shown || jsonb_build_object('report_id', report_id, 'country_id', 'us', 'report_type', 'geography',
    'shows', 'an economy report that ended in an error');

  -- The economy cache. A rerun of a report deletes the rows of its key, in every status, and no others.
  insert into public.reform_impact (
    baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period, options_json, options_hash,
    api_version, reform_impact_json, status, message, start_time, end_time, execution_id
  )
  select cached.baseline, cached.reform, cached.country, cached.region, cached.dataset, cached.year,
    cached.options::json, cached.options_hash, cached.version, cached.impact::json, cached.status, cached.message,
    cached.started, cached.started + cached.took, 'sample-' || cached.position
    from (
      values
        (1, 1, 1, 'uk', 'uk', 'default', '2025', '{}', '[]', uk_economy,
          '{"budget": {"budgetary_impact": 0}}', 'ok', null, timestamp '2026-04-01 08:00:00', interval '00:03:12'),
        -- The key of the report with two simulations, in every status.
        (2, 2, 80017, 'us', 'state/ny', 'default', '2025', '{}', '[]', us_economy,
          '{"budget": {"budgetary_impact": -2500000000}}', 'ok', null, '2026-04-01 09:10:00', '00:04:41'),
        (3, 2, 80017, 'us', 'state/ny', 'default', '2025', '{}', '[]', us_economy,
          '{}', 'error', 'worker lost', '2026-04-01 09:02:00', '00:01:07'),
        (4, 2, 80017, 'us', 'state/ny', 'default', '2025', '{}', '[]', us_economy,
          '{}', 'computing', null, '2026-04-01 09:30:00', null),
        -- Its neighbours: another version, dataset, options.
        (5, 2, 80017, 'us', 'state/ny', 'default', '2025', '{}', '[]', 'e0c41d77a2',
          '{"budget": {"budgetary_impact": -2450000000}}', 'ok', null, '2026-02-11 10:00:00', '00:04:30'),
        (6, 2, 80017, 'us', 'state/ny', 'enhanced_cps', '2025', '{}', '[]', us_economy,
          '{"budget": {"budgetary_impact": -2610000000}}', 'ok', null, '2026-04-01 10:00:00', '00:06:02'),
        (7, 2, 80017, 'us', 'state/ny', 'default', '2025', '{"max_households": 100}', '[max_households=100]',
          us_economy, '{"budget": {"budgetary_impact": -2300000000}}', 'ok', null, '2026-04-01 11:00:00', '00:00:19'),
        -- The report that shares a simulation.
        (8, 2, 80021, 'us', 'state/ny', 'default', '2025', '{}', '[]', us_economy,
          '{"budget": {"budgetary_impact": 2100000000}}', 'ok', null, '2026-04-02 08:00:00', '00:04:38'),
        -- The report that failed.
        (9, 2, 2, 'us', 'state/ca', 'default', '2025', '{}', '[]', us_economy,
          '{}', 'error', 'worker lost', '2026-04-02 09:00:00', '00:00:58')
    ) as cached(position, baseline, reform, country, region, dataset, year, options, options_hash, version, impact,
      status, message, started, took)
   order by cached.position;

  -- Read by the select below.
  perform set_config('pgreprise.sample', shown::text, false);
end;
$$;

select
  example.report_id,
  example.country_id,
  example.report_type,
  example.shows
from jsonb_to_recordset(current_setting('pgreprise.sample')::jsonb)
  as example (report_id bigint, country_id text, report_type text, shows text)
order by example.report_id;
