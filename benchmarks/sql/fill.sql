-- :reports economy reports of us, each with two simulations and a cache row of its own, so that reports do not wait
-- for each other; each output about :bytes bytes long.
select public.set_cache_versions('us', economy_impact => 'e1', report_output => 'r1', package => '1.0.0');

create schema bench;

-- Digits, which PostgreSQL cannot compress: what is largest and slowest to copy.
create function bench.output(number bigint) returns json language plpgsql immutable
as $$
begin
  return ('{"number": ' || number || case when :bytes > 100 then ', "values": "'
    || (select string_agg(md5(number || ' ' || part), '') from generate_series(1, :bytes / 32) as part) || '"' else ''
    end || '}')::json;
end
$$;

insert into public.simulations
  (id, country_id, api_version, population_id, population_type, policy_id, status, output)
select number, 'us', '1.0.0', 'state/' || (number - 1) / 2 % 51, 'geography', number, 'complete', bench.output(number)
  from generate_series(1, 2 * :reports) as number;

insert into public.report_outputs
  (id, country_id, simulation_1_id, simulation_2_id, api_version, status, year, output)
select number, 'us', 2 * number - 1, 2 * number, 'r1', 'complete', '2025', bench.output(number)
  from generate_series(1, :reports) as number;

insert into public.reform_impact
  (reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period, options_json,
   options_hash, api_version, reform_impact_json, status, start_time, execution_id)
select number, 2 * number - 1, 2 * number, 'us', 'state/' || (number - 1) % 51, 'default', '2025', '{}', '[]', 'e1',
    bench.output(number), 'ok', timestamp '2026-01-01', 'job'
  from generate_series(1, :reports) as number;
