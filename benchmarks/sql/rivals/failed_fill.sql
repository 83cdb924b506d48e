-- :reports household reports that failed, each with one simulation that failed: what is nearest to a job that failed.
select public.set_cache_versions('us', economy_impact => 'e1', report_output => 'r1', package => '1.0.0');

insert into public.simulations
  (id, country_id, api_version, population_id, population_type, policy_id, status, error_message)
select number, 'us', '1.0.0', 'household ' || number, 'household', number, 'error', 'it failed'
  from generate_series(1, :reports) as number;

insert into public.report_outputs
  (id, country_id, simulation_1_id, api_version, status, year, error_message)
select number, 'us', number, 'r1', 'error', '2025', 'it failed' from generate_series(1, :reports) as number;
