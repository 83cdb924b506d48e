-- simulation_key: one row for each key that get_or_create_simulation() has had to create.
-- Callers that ask for one key at once queue on its row; at every isolation level one of them
-- creates the simulation and the others find it, or fail with 40001 and find it when they retry.
create table pgreprise.simulation_key (
  country_id text not null,
  population_id text not null,
  population_type text not null,
  policy_id bigint not null,
  constraint simulation_key_pkey primary key (country_id, population_id, population_type, policy_id)
);

comment on table pgreprise.simulation_key is 'Queues callers of get_or_create_simulation() that want one key at once.';

grant select, insert, update on table pgreprise.simulation_key to pgreprise_owner;
