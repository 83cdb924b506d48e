-- What a worker of a report has to know, as a claim of pgreprise gives it: the payload of a job of the other queues.
create schema bench;

create function bench.request(number bigint) returns jsonb language sql immutable
return jsonb_build_object(
  'report_id', number, 'country_id', 'us', 'run_sequence', 1, 'report_type', 'geography', 'year', '2025',
  'region', 'state/' || number % 51,
  'simulations', jsonb_build_array(
    jsonb_build_object('simulation_id', 2 * number - 1, 'run_sequence', 1, 'status', 'complete',
      'policy_id', 2 * number - 1, 'population_id', 'state/' || number % 51, 'population_type', 'geography',
      'computes', false),
    jsonb_build_object('simulation_id', 2 * number, 'run_sequence', 1, 'status', 'complete',
      'policy_id', 2 * number, 'population_id', 'state/' || number % 51, 'population_type', 'geography',
      'computes', false)));

-- Where a client that keeps the outputs would keep them: no other queue does.
create table bench.report_output (id bigint primary key, status text not null, output json);
