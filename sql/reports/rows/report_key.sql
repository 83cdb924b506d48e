-- report_key: one row for each key that get_or_create_report() has had to create;
-- as simulation_key, for reports. A report with one simulation has a null second one.
create table pgreprise.report_key (
  country_id text not null,
  simulation_1_id bigint not null,
  simulation_2_id bigint,
  year text not null,
  api_version text not null,
  constraint report_key_unique unique nulls not distinct (
    country_id, simulation_1_id, simulation_2_id, year, api_version
  )
);

comment on table pgreprise.report_key is 'Queues callers of get_or_create_report() that want one key at once.';

grant select, insert, update on table pgreprise.report_key to pgreprise_owner;
