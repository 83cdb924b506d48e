-- restored_run: the runs that an undo started, and which earlier run each holds again. A run that holds
-- an earlier one again counts as that one when the next undo asks whether things have moved on.
create table pgreprise.restored_run (
  row_kind text not null,
  row_id bigint not null,
  run_sequence integer not null,
  restores_run integer not null,
  constraint restored_run_pkey primary key (row_kind, row_id, run_sequence),
  constraint restored_run_row_kind_check check (row_kind in ('report', 'simulation'))
);

comment on table pgreprise.restored_run is 'The runs that an undo started, and which earlier run each holds again.';
comment on column pgreprise.restored_run.restores_run is 'never itself one that holds an earlier run again';

grant select, insert on table pgreprise.restored_run to pgreprise_owner;
