-- rerun_batch_simulation: the simulations that a batch has reset. A later chunk must not reset one again, because a
-- worker may already be computing it.
create table pgreprise.rerun_batch_simulation (
  batch_id bigint not null,
  simulation_id bigint not null,
  constraint rerun_batch_simulation_pkey primary key (batch_id, simulation_id)
);

comment on table pgreprise.rerun_batch_simulation is 'The simulations that a batch has reset.';

grant select, insert on table pgreprise.rerun_batch_simulation to pgreprise_owner;
