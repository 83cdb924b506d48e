-- The limit of a batch: the bare writes for the reports from :low to :high, set by set, in one transaction.
insert into pgreprise.report_run (report_id, run_sequence, api_version, status, output, had_output, error_message)
select id, run_sequence, api_version, status, output, output is not null, error_message
  from public.report_outputs where id between :low and :high;
update public.report_outputs
   set status = 'pending', output = null, error_message = null, api_version = 'r1', run_sequence = run_sequence + 1
 where id between :low and :high;
insert into pgreprise.simulation_run
  (simulation_id, run_sequence, api_version, status, output, had_output, error_message)
select id, run_sequence, api_version, status, output, output is not null, error_message
  from public.simulations where id between 2 * :low - 1 and 2 * :high;
update public.simulations
   set status = 'pending', output = null, error_message = null, api_version = '1.0.0',
       run_sequence = run_sequence + 1
 where id between 2 * :low - 1 and 2 * :high;
insert into pgreprise.rerun
  (kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
   reform_impact_ids, removal_id, cache_scopes, is_archived)
select 'rerun', report.id, 'us', 'geography', run_sequence, array[2 * report.id - 1, 2 * report.id], array[2, 2],
    array[report.id], :low, jsonb_build_array(jsonb_build_object('country_id', impact.country_id,
    'baseline_policy_id', baseline_policy_id, 'reform_policy_id', reform_policy_id, 'region', region,
    'dataset', dataset, 'time_period', time_period, 'api_version', impact.api_version)), true
  from public.report_outputs as report
  join public.reform_impact as impact on impact.reform_impact_id = report.id
 where report.id between :low and :high;
insert into pgreprise.reform_impact_archive
  (removal_id, reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period,
   options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time, execution_id)
select :low, reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period,
    options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time, execution_id
  from public.reform_impact where reform_impact_id between :low and :high;
delete from public.reform_impact where reform_impact_id between :low and :high;
