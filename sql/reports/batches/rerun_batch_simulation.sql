-- rerun_batch_simulation: the simulations that a batch has reset, with the version that it gave them. A later chunk
-- must not reset one again, because a worker may already be computing it; under another version it does. An undo
-- deletes what it puts back.
create table pgreprise.rerun_batch_simulation (
  batch_id bigint not null,
  simulation_id bigint not null,
  api_version text not null,
  constraint rerun_batch_simulation_pkey primary key (batch_id, simulation_id, api_version)
);

comment on table pgreprise.rerun_batch_simulation is 'The simulations that a batch has reset.';

grant select, insert, delete on table pgreprise.rerun_batch_simulation to pgreprise_owner;
