-- host_run: which run of the application's own tables is a run of ours that an act started, and what the application's
-- row pointed to before. One row for each run that was started while the application had such tables.
create table pgreprise.host_run (
  row_kind text not null,
  row_id bigint not null,
  run_sequence integer not null,
  host_run_id text,
  host_run_sequence integer,
  ended_host_run_id text,
  active_run_id text,
  latest_successful_run_id text,
  removed jsonb,
  constraint host_run_pkey primary key (row_kind, row_id, run_sequence),
  constraint host_run_row_kind_check check (row_kind in ('report', 'simulation'))
);

comment on table pgreprise.host_run is
'The runs of the application''s own tables that belong to runs which an act started.';
comment on column pgreprise.host_run.host_run_sequence is
'the application''s own number of its run; with the row it is a key, whatever the type of the ids is';
comment on column pgreprise.host_run.ended_host_run_id is 'the application''s newest run when the act was done';
comment on column pgreprise.host_run.active_run_id is 'what the application''s row pointed to before the act';
comment on column pgreprise.host_run.latest_successful_run_id is
'what the application''s row pointed to before the act';
comment on column pgreprise.host_run.removed is
'the application''s run, without its output, after an undo has removed it';

grant select, insert, update on table pgreprise.host_run to pgreprise_owner;
