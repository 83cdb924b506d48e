-- :finished reports that are complete and, behind them, :pending that wait, each with two simulations. Those of the
-- first are finished; of the others they have the status :simulations. The first :shared of the pending ones share one
-- baseline, the simulation of the first of them.
select public.set_cache_versions('us', economy_impact => 'e1', report_output => 'r1', package => '1.0.0');

insert into public.simulations
  (id, country_id, api_version, population_id, population_type, policy_id, status, output)
select number, 'us', '1.0.0', 'state/' || (number - 1) / 2 % 51, 'geography', number,
    case when number <= 2 * :finished then 'complete' else ':simulations' end,
    case when number <= 2 * :finished or ':simulations' = 'complete' then '{"number": 1}'::json end
  from generate_series(1, 2 * (:finished + :pending)) as number;

insert into public.report_outputs
  (id, country_id, simulation_1_id, simulation_2_id, api_version, status, year, output)
select number, 'us', 2 * case when number <= :finished + :shared then least(number, :finished + 1) else number end - 1,
    2 * number, 'r1', case when number <= :finished then 'complete' else 'pending' end, '2025',
    case when number <= :finished then '{"number": 1}'::json end
  from generate_series(1, :finished + :pending) as number;
