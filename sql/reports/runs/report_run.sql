-- report_run: the runs of reports that have ended, each as it was when it ended. The current run is in report_outputs.
-- A purge deletes the output and keeps the row.
create table pgreprise.report_run (
  report_id bigint not null,
  run_sequence integer not null,
  api_version text not null,
  status text not null,
  output json,
  had_output boolean not null,
  error_message text,
  ended_at timestamptz not null default now(),
  constraint report_run_pkey primary key (report_id, run_sequence)
);

comment on table pgreprise.report_run is 'The runs of reports that have ended, as they were when they ended.';
comment on column pgreprise.report_run.had_output is
'whether the run had an output; output is null where it was not kept';

grant select, insert, update on table pgreprise.report_run to pgreprise_owner;
