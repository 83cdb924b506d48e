-- The limit: the bare writes of one rerun in one statement, archive and history rows included. It checks nothing,
-- takes no lock first, and knows beforehand which simulations and which cache row belong to the report.
\set id permute(:first + :n * :clients + :client_id, :reports, 7) + 1
\set n :n + 1
with act as (
  select nextval('pgreprise.rerun_rerun_id_seq') as rerun_id
),
ended_report as (
  insert into pgreprise.report_run (report_id, run_sequence, api_version, status, output, had_output, error_message)
  select id, run_sequence, api_version, status, output, output is not null, error_message
    from public.report_outputs where id = :id::bigint
),
reset_report as (
  update public.report_outputs
     set status = 'pending', output = null, error_message = null, api_version = 'r1', run_sequence = run_sequence + 1
   where id = :id::bigint
  returning run_sequence
),
ended_simulations as (
  insert into pgreprise.simulation_run
    (simulation_id, run_sequence, api_version, status, output, had_output, error_message)
  select id, run_sequence, api_version, status, output, output is not null, error_message
    from public.simulations where id in (2 * :id::bigint - 1, 2 * :id::bigint)
),
reset_simulations as (
  update public.simulations
     set status = 'pending', output = null, error_message = null, api_version = '1.0.0',
         run_sequence = run_sequence + 1
   where id in (2 * :id::bigint - 1, 2 * :id::bigint)
  returning run_sequence
),
history as (
  insert into pgreprise.rerun
    (rerun_id, kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
     reform_impact_ids, removal_id, cache_scopes, is_archived, actor)
  select act.rerun_id, 'rerun', :id::bigint, 'us', 'geography', run_sequence, array[2 * :id::bigint - 1, 2 * :id::bigint],
      array(select run_sequence from reset_simulations), array[:id::bigint], act.rerun_id, jsonb_build_array(jsonb_build_object('country_id', country_id, 'baseline_policy_id', baseline_policy_id,
      'reform_policy_id', reform_policy_id, 'region', region, 'dataset', dataset, 'time_period', time_period,
      'api_version', api_version)), true, null
    from reset_report, act, public.reform_impact
   where reform_impact_id = :id::bigint
),
removed as (
  delete from public.reform_impact where reform_impact_id = :id::bigint
)
insert into pgreprise.reform_impact_archive
  (removal_id, reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period,
   options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time, execution_id)
select act.rerun_id, impact.reform_impact_id, impact.baseline_policy_id, impact.reform_policy_id,
    impact.country_id, impact.region, impact.dataset, impact.time_period, impact.options_json, impact.options_hash,
    impact.api_version, impact.reform_impact_json, impact.status, impact.message, impact.start_time, impact.end_time,
    impact.execution_id
  from public.reform_impact as impact, act
 where impact.reform_impact_id = :id::bigint;
