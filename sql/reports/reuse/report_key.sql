-- report_key: as simulation_key, for get_or_create_report(). simulation_2_id is null for a report with one simulation.
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

-- A primary key cannot hold the null. Without an identity a publication for all tables would refuse the updates.
alter table pgreprise.report_key replica identity full;

comment on table pgreprise.report_key is
'Lets callers of get_or_create_report() that ask for the same report wait for each other.';

grant select, insert, update on table pgreprise.report_key to pgreprise_owner;
