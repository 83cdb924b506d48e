-- simulation_run: as report_run, for simulations.
create table pgreprise.simulation_run (
  simulation_id bigint not null,
  run_sequence integer not null,
  api_version text not null,
  status text not null,
  output json,
  had_output boolean not null,
  error_message text,
  ended_at timestamptz not null default now(),
  constraint simulation_run_pkey primary key (simulation_id, run_sequence)
);

comment on table pgreprise.simulation_run is
'The runs of simulations that have ended, as they were when they ended.';
comment on column pgreprise.simulation_run.had_output is
'whether the run had an output; output is null where it was not kept';

grant select, insert, update on table pgreprise.simulation_run to pgreprise_owner;
