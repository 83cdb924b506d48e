-- restored_run: the runs that an undo started, and the earlier run whose result each has again. When the next undo
-- looks for later runs, such a run counts as the earlier one.
create table pgreprise.restored_run (
  row_kind text not null,
  row_id bigint not null,
  run_sequence integer not null,
  restores_run integer not null,
  constraint restored_run_pkey primary key (row_kind, row_id, run_sequence),
  constraint restored_run_row_kind_check check (row_kind in ('report', 'simulation'))
);

comment on table pgreprise.restored_run is
'The runs that an undo started, and the earlier run whose result each has again.';
comment on column pgreprise.restored_run.restores_run is 'never a run that an undo started itself';

grant select, insert on table pgreprise.restored_run to pgreprise_owner;
