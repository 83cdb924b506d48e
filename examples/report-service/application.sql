-- A report application as it is before it meets pgreprise: its tables, one finished economy report, and what its economy
-- service does with a request. docs/how-to/adopt-a-report-service.md walks through it.
create table simulations (
  id serial primary key,
  country_id varchar(3) not null,
  api_version varchar(10) not null,
  population_id varchar(255) not null,
  population_type varchar(50) not null,
  policy_id integer not null,
  status varchar(32) not null default 'pending',
  output json,
  error_message text,
  simulation_spec_json json,
  simulation_spec_schema_version integer,
  active_run_id char(36),
  latest_successful_run_id char(36)
);

create table report_outputs (
  id serial primary key,
  country_id varchar(3) not null,
  simulation_1_id integer not null,
  simulation_2_id integer,
  api_version varchar(10) not null,
  status varchar(32) not null default 'pending',
  output json,
  error_message text,
  year varchar(255) default '2025',
  report_kind varchar(64),
  report_spec_json json,
  report_spec_schema_version integer,
  report_spec_status varchar(32),
  active_run_id char(36),
  latest_successful_run_id char(36)
);

create table report_output_runs (
  id char(36) primary key,
  report_output_id integer not null,
  run_sequence integer not null,
  status varchar(32) not null,
  output json,
  error_message text,
  trigger_type varchar(32) not null,
  requested_at timestamp,
  started_at timestamp,
  finished_at timestamp,
  source_run_id char(36),
  report_spec_snapshot_json json,
  country_package_version varchar(255),
  report_cache_version varchar(255),
  resolved_dataset varchar(255),
  unique (report_output_id, run_sequence)
);

create table simulation_runs (
  id char(36) primary key,
  simulation_id integer not null,
  report_output_run_id char(36),
  input_position integer,
  run_sequence integer not null,
  status varchar(32) not null,
  output json,
  error_message text,
  trigger_type varchar(32) not null,
  requested_at timestamp,
  started_at timestamp,
  finished_at timestamp,
  source_run_id char(36),
  simulation_spec_snapshot_json json,
  country_package_version varchar(255),
  unique (simulation_id, run_sequence)
);

create table reform_impact (
  reform_impact_id serial primary key,
  baseline_policy_id integer not null,
  reform_policy_id integer not null,
  country_id varchar(3) not null,
  region varchar(32) not null,
  dataset varchar(255) not null,
  time_period varchar(32) not null,
  options_json json,
  options_hash varchar(255),
  api_version varchar(10) not null,
  reform_impact_json json not null,
  status varchar(32) not null,
  message varchar(255),
  start_time timestamp,
  end_time timestamp,
  execution_id varchar(255) not null
);

insert into simulations (country_id, api_version, population_id, population_type, policy_id, status, output)
values
  ('us', '1.764.6', 'ny', 'geography', 2, 'complete', '{"budget": {"total_tax": 212000000000}}'),
  ('us', '1.764.6', 'ny', 'geography', 80017, 'complete', '{"budget": {"total_tax": 209500000000}}');

insert into report_outputs (
  country_id, simulation_1_id, simulation_2_id, api_version, status, output, year, report_kind, report_spec_json,
  report_spec_schema_version, report_spec_status, latest_successful_run_id
)
values (
  'us', 1, 2, 'r1b01baee2', 'complete', '{"budget": {"budgetary_impact": -2500000000}}', '2026', 'economy_comparison',
  '{"region": "state/ny", "dataset": "default", "time_period": "2026"}', 1, 'backfilled_assumed',
  '5f4dcc3b-0000-4000-8000-000000000001'
);

insert into report_output_runs (
  id, report_output_id, run_sequence, status, output, trigger_type, requested_at, started_at, finished_at,
  report_cache_version, resolved_dataset
)
values (
  '5f4dcc3b-0000-4000-8000-000000000001', 1, 1, 'complete', '{"budget": {"budgetary_impact": -2500000000}}', 'initial',
  '2026-08-14 15:17:37', '2026-08-14 15:17:37', '2026-08-14 15:18:51', 'r1b01baee2', 'default'
);

-- What the service computed when the report was requested. The model had a fault then.
insert into reform_impact (
  baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period, options_json, options_hash,
  api_version, reform_impact_json, status, start_time, end_time, execution_id
)
values (
  2, 80017, 'us', 'state/ny', 'default', '2026', '{}',
  '[dataset=default&model_version=1.764.6&policyengine_version=4.20.3&runtime_app_name=app-a]', 'e2604ee281',
  '{"budget": {"budgetary_impact": -2500000000}}', 'ok', '2026-08-14 15:17:40', '2026-08-14 15:18:50', 'job-1'
);

-- economy_service(report_id): what the service answers for a report. It looks the request up in its cache, by an equal
-- hash or one that has further parts. Only if nothing is there, it computes, and keeps the result.
create function economy_service(report_id integer) returns table (answered_from text, result json)
language plpgsql
as $$
declare
  request record;
  options constant text := 'dataset=default&model_version=1.764.6&policyengine_version=4.20.3';
begin
  select baseline.policy_id as baseline, reform.policy_id as reform, 'state/' || baseline.population_id as region,
      report.year
    into request
    from public.report_outputs as report
    join public.simulations as baseline on baseline.id = report.simulation_1_id
    join public.simulations as reform on reform.id = report.simulation_2_id
   where report.id = economy_service.report_id;

  return query
    select 'cache', cached.reform_impact_json
      from public.reform_impact as cached
     where cached.country_id = 'us'
       and cached.reform_policy_id = request.reform
       and cached.baseline_policy_id = request.baseline
       and cached.region = request.region
       and cached.dataset = 'default'
       and cached.time_period = request.year
       and cached.api_version = 'e2604ee281'
       and (cached.options_hash = format('[%s]', options) or cached.options_hash like format('[%s&%%', options))
     order by cached.options_hash = format('[%s]', options) desc, cached.start_time desc
     limit 1;
  if found then
    return;
  end if;

  -- The model is mended.
  return query
    insert into public.reform_impact (
      baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period, options_json, options_hash,
      api_version, reform_impact_json, status, start_time, end_time, execution_id
    )
    values (
      request.baseline, request.reform, 'us', request.region, 'default', request.year, '{}',
      format('[%s&runtime_app_name=app-a]', options), 'e2604ee281', '{"budget": {"budgetary_impact": -2430000000}}',
      'ok', now(), now(), 'job-2'
    )
    returning 'computation', reform_impact_json;
end;
$$;
