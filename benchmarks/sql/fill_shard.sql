-- :reports economy reports of each logical shard that this server holds, each with two simulations and a cache row of
-- its own. A logical shard gives its ids in the order of the rows: first to all simulations, then to all reports.
select public.set_cache_versions('us', economy_impact => 'e1', report_output => 'r1', package => '1.0.0');

create schema bench;

-- One population of each logical shard.
create table bench.population as
select distinct on (found.logical_shard) found.logical_shard, found.population_id
  from (
    select number::text as population_id, pgreprise.population_shard('us', number::text) as logical_shard
      from generate_series(1, 2000) as number
  ) as found
  join pgreprise.logical_shard as known on known.logical_shard = found.logical_shard and known.state = 'held';

insert into public.simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
select 'us', '1.0.0', population.population_id, 'geography', number, 'complete', '{"number": 1}'
  from bench.population as population
 cross join generate_series(1, 2 * :reports) as number;

insert into public.report_outputs
  (country_id, simulation_1_id, simulation_2_id, api_version, status, year, output)
select 'us', max(simulation.id) filter (where simulation.policy_id % 2 = 1),
    max(simulation.id) filter (where simulation.policy_id % 2 = 0), 'r1', 'complete', '2025', '{"number": 1}'
  from public.simulations as simulation
 group by simulation.population_id, (simulation.policy_id - 1) / 2;

insert into public.reform_impact
  (baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period, options_json, options_hash,
   api_version, reform_impact_json, status, start_time, execution_id)
select 2 * number - 1, 2 * number, 'us', population.population_id, 'default', '2025', '{}', '[]', 'e1',
    '{"number": 1}', 'ok', timestamp '2026-01-01', 'job'
  from bench.population as population
 cross join generate_series(1, :reports) as number;
