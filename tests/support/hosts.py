"""The tables of hosts, as they were before pgreprise."""

LEGACY = """
create table public.simulations (
  id serial primary key,
  country_id varchar(3) not null,
  api_version varchar(10) not null,
  population_id varchar(255) not null,
  population_type varchar(50) not null,
  policy_id int not null,
  status varchar(32) not null default 'pending',
  output json,
  error_message text
);
create table public.report_outputs (
  id serial primary key,
  country_id varchar(3) not null,
  simulation_1_id int not null,
  simulation_2_id int,
  api_version varchar(10) not null,
  status varchar(32) not null default 'pending',
  output json,
  error_message text,
  year varchar(255) default '2025'
);
create table public.reform_impact (
  reform_impact_id serial primary key,
  baseline_policy_id int not null,
  reform_policy_id int not null,
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
"""
