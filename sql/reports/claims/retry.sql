-- retry: pending runs of reports that may not be claimed before a time, because an attempt failed or was lost. The row
-- is deleted when the run is claimed; that of a run which is over is deleted by the claim that meets it when it is due.
create table pgreprise.retry (
  report_id bigint not null,
  run_sequence integer not null,
  retry_at timestamptz not null,
  because text,
  constraint retry_pkey primary key (report_id)
);

-- Claims take those that are due first.
create index retry_due on pgreprise.retry (retry_at);

comment on table pgreprise.retry is 'Pending runs of reports that may not be claimed before a time.';
comment on column pgreprise.retry.because is
'why the application refused that the run was claimed; null for an attempt that failed';

grant select, insert, update, delete on table pgreprise.retry to pgreprise_owner;
