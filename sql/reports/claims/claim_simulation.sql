-- claim_simulation: the simulations of claims. computes: the claim was given it to compute, and has not finished it;
-- the others were finished already, and the report is computed from them. open: the claim is open.
create table pgreprise.claim_simulation (
  claim_id uuid not null,
  simulation_id bigint not null,
  run_sequence integer not null,
  computes boolean not null,
  open boolean not null default true,
  claimed_at timestamptz not null,
  finished_at timestamptz,
  constraint claim_simulation_pkey primary key (claim_id, simulation_id)
)
with (fillfactor = 70);

-- Two claims that compute one simulation cannot exist, whatever a routine does.
create unique index claim_simulation_computed on pgreprise.claim_simulation (simulation_id) where open and computes;
-- To find the claims that rely on a simulation.
create index claim_simulation_open on pgreprise.claim_simulation (simulation_id) where open;
create index claim_simulation_run on pgreprise.claim_simulation (simulation_id, run_sequence);

comment on table pgreprise.claim_simulation is 'The simulations of claims, those to be computed and those that were.';
comment on column pgreprise.claim_simulation.finished_at is 'when the claim finished it';

grant select, insert, update on table pgreprise.claim_simulation to pgreprise_owner;
