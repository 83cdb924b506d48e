-- The statements of reference.sql, in one transaction.
\set report permute(:first + :n * :clients + :client_id, :reports, 7) + 1
\set n :n + 1
begin;
select * from report_outputs where id = :report
\gset
select *, policy_id as policy_1 from simulations where id = :simulation_1_id and country_id = 'us'
\gset
select *, policy_id as policy_2, population_id as region from simulations
 where id = :simulation_2_id and country_id = 'us'
\gset
select * from report_outputs where id = :report
\gset
update report_outputs set status = 'pending', output = null, error_message = null where id = :report;
select * from simulations where id = :simulation_1_id and country_id = 'us'
\gset
update simulations set status = 'pending', output = null, error_message = null, api_version = '1.0.0'
 where id = :simulation_1_id;
select * from simulations where id = :simulation_2_id and country_id = 'us'
\gset
update simulations set status = 'pending', output = null, error_message = null, api_version = '1.0.0'
 where id = :simulation_2_id;
delete from reform_impact
 where country_id = 'us' and reform_policy_id = :policy_2 and baseline_policy_id = :policy_1 and region = :region
   and time_period = :year and options_hash = '[]' and dataset = 'default' and api_version = 'e1';
commit;
