-- run_time: when runs of reports and simulations began to wait, were started and were finished, where the application
-- has no tables of runs with such columns (host_runs). One row for each run whose state pgreprise has written.
-- pending_since is here only where pgreprise created the row: a run that an act started waits since the run before it
-- ended (report_run.ended_at). run_times() reads all of it.
-- A start and an end are two updates of one row; this leaves room for them beside it.
create table pgreprise.run_time (
  row_kind text not null,
  row_id bigint not null,
  run_sequence integer not null,
  pending_since timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  constraint run_time_pkey primary key (row_kind, row_id, run_sequence),
  constraint run_time_row_kind_check check (row_kind in ('report', 'simulation'))
)
with (fillfactor = 70);

comment on table pgreprise.run_time is
'When runs began to wait, were started and were finished, where the application has no columns for it.';
comment on column pgreprise.run_time.started_at is 'when the newest attempt was started; null while the run is pending';

grant select, insert, update on table pgreprise.run_time to pgreprise_owner;
