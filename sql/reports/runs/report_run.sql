-- report_run: the runs of reports that ended, each as it was when it ended. The current run stands in
-- report_outputs. A purge frees output; the row stays.
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

comment on table pgreprise.report_run is 'The runs of reports that ended, as they were when a rerun ended them.';
comment on column pgreprise.report_run.had_output is 'whether there was one; output is null where it was not kept';

grant select, insert, update on table pgreprise.report_run to pgreprise_owner;
