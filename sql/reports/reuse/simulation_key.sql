-- simulation_key: one row for each simulation that get_or_create_simulation() had to create. Callers that ask for the
-- same simulation at the same time wait for each other at this row. One of them creates the simulation and the others
-- find it, or fail with 40001 and find it when they try again, at every isolation level.
create table pgreprise.simulation_key (
  country_id text not null,
  population_id text not null,
  population_type text not null,
  policy_id bigint not null,
  constraint simulation_key_pkey primary key (country_id, population_id, population_type, policy_id)
);

comment on table pgreprise.simulation_key is
'Lets callers of get_or_create_simulation() that ask for the same simulation wait for each other.';

grant select, insert, update on table pgreprise.simulation_key to pgreprise_owner;
