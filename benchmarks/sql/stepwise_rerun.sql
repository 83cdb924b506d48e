-- The rival: a client that does the same as rerun_report with one statement a step, in one transaction.
\set id permute(:first + :n * :clients + :client_id, :reports, 7) + 1
\set n :n + 1
begin;
set local lock_timeout = '5s';
select simulation_1_id as simulation_1, simulation_2_id as simulation_2, run_sequence as report_run
  from public.report_outputs where id = :id::bigint and country_id = 'us' for update
\gset
select policy_id as policy_1, run_sequence as run_1
  from public.simulations where id = :simulation_1::bigint and country_id = 'us' for update
\gset
select policy_id as policy_2, run_sequence as run_2
  from public.simulations where id = :simulation_2::bigint and country_id = 'us' for update
\gset
select package_version as package, report_output_version as report_version
  from pgreprise.country where country_id = 'us'
\gset
select archive_outputs as archive from pgreprise.setting
\gset
insert into pgreprise.report_run (report_id, run_sequence, api_version, status, output, had_output, error_message)
select id, run_sequence, api_version, status, output, output is not null, error_message
  from public.report_outputs where id = :id::bigint;
update public.report_outputs
   set status = 'pending', output = null, error_message = null, api_version = :report_version,
       run_sequence = run_sequence + 1
 where id = :id::bigint;
insert into pgreprise.simulation_run
  (simulation_id, run_sequence, api_version, status, output, had_output, error_message)
select id, run_sequence, api_version, status, output, output is not null, error_message
  from public.simulations where id in (:simulation_1::bigint, :simulation_2::bigint);
update public.simulations
   set status = 'pending', output = null, error_message = null, api_version = :package,
       run_sequence = run_sequence + 1
 where id in (:simulation_1::bigint, :simulation_2::bigint);
select reform_impact_id as impact from public.reform_impact
 where country_id = 'us' and baseline_policy_id = :policy_1::integer and reform_policy_id = :policy_2::integer
   and region = 'state/' || (:id::bigint - 1) % 51 and dataset = 'default' and time_period = '2025'
   and (options_hash = '[]' or options_hash like '[dataset=default&model\_version=%') and api_version = 'e1'
 order by reform_impact_id for update
\gset
select nextval('pgreprise.rerun_rerun_id_seq') as rerun_id
\gset
insert into pgreprise.reform_impact_archive
  (removal_id, reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period,
   options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time, execution_id)
select :rerun_id::bigint, reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset,
    time_period, options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time,
    execution_id
  from public.reform_impact where reform_impact_id = :impact::bigint;
delete from public.reform_impact where reform_impact_id = :impact::bigint;
insert into pgreprise.rerun
  (rerun_id, kind, report_id, country_id, report_type, run_sequence, simulation_ids, simulation_run_sequences,
   reform_impact_ids, removal_id, cache_scopes, is_archived)
values
  (:rerun_id::bigint, 'rerun', :id::bigint, 'us', 'geography', :report_run::integer + 1,
   array[:simulation_1::bigint, :simulation_2::bigint], array[:run_1::integer + 1, :run_2::integer + 1],
   array[:impact::bigint], :rerun_id::bigint,
   jsonb_build_array(jsonb_build_object('country_id', 'us', 'baseline_policy_id', :policy_1::integer,
     'reform_policy_id', :policy_2::integer, 'region', 'state/' || (:id::bigint - 1) % 51, 'dataset', 'default',
     'time_period', '2025', 'api_version', 'e1')), true);
commit;
