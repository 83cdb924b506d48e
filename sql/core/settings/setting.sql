-- setting: the settings of pgreprise in this database: one row, and a column for each setting. The comment of a
-- column describes the setting, and its type and checks say which values it can have. A new setting is a new column:
-- settings() and set_setting() find it in the catalog. The settings of all domains are here, also of those that are not
-- installed, so that each needs one look-up.
-- has_run_tables is no setting, and so it has no comment: a migration writes it (host_runs/attach_run_tables). It is
-- here because routines read it together with the settings, in one look-up.
create table pgreprise.setting (
  only_row boolean not null default true,
  archive_outputs boolean not null default true,
  allow_unfinish boolean not null default false,
  co2_per_km_kg double precision not null default 0.2996,
  archive_keep interval,
  archive_keep_bytes bigint,
  archive_keep_last integer not null default 1,
  largest_batch bigint not null default 1000,
  require_claim text not null default 'off',
  when_lost text not null default 'retry',
  lost_attempts integer not null default 3,
  retry_wait interval not null default '30 seconds',
  notify_workers boolean not null default false,
  has_run_tables boolean not null default false,
  updated_at timestamptz not null default now(),
  constraint setting_pkey primary key (only_row),
  constraint setting_only_row_check check (only_row),
  constraint setting_archive_keep_check check (archive_keep between interval '1 hour' and interval '500 years'),
  constraint setting_archive_keep_bytes_check check (archive_keep_bytes >= 0),
  constraint setting_archive_keep_last_check check (archive_keep_last >= 0),
  constraint setting_largest_batch_check check (largest_batch >= 0),
  constraint setting_require_claim_check check (require_claim in ('off', 'run', 'claim')),
  constraint setting_when_lost_check check (when_lost in ('retry', 'fail')),
  constraint setting_lost_attempts_check check (lost_attempts between 1 and 100),
  constraint setting_retry_wait_check check (retry_wait between interval '0' and interval '1 hour'),
  constraint setting_co2_per_km_kg_check check (co2_per_km_kg > 0 and co2_per_km_kg < 'infinity')
);

comment on table pgreprise.setting is 'The settings of pgreprise in this database, in one row.';
comment on column pgreprise.setting.archive_outputs is
'whether reruns keep the outputs that they clear, so that they can be undone';
comment on column pgreprise.setting.allow_unfinish is
'whether a finished report or simulation may be written again, as older applications do';
comment on column pgreprise.setting.archive_keep is
'how long purge_by_retention() keeps archived outputs; null for ever';
comment on column pgreprise.setting.archive_keep_bytes is
'how many bytes of archived outputs purge_by_retention() keeps, the newest ones; null for any number';
comment on column pgreprise.setting.archive_keep_last is
'how many runs of each report keep their output whatever their age, when purge_by_retention() purges';
comment on column pgreprise.setting.largest_batch is
'how many reports a batch may have before their number has to be given with it';
comment on column pgreprise.setting.require_claim is
'whether a result must name its run (run), or also its claim once a worker has claimed the run (claim)';
comment on column pgreprise.setting.when_lost is
'what becomes of a report whose worker is lost: it is computed again (retry), or it is error (fail)';
comment on column pgreprise.setting.lost_attempts is
'after how many lost attempts a report is error';
comment on column pgreprise.setting.retry_wait is
'how long a report waits after the second lost attempt; twice as long after each further one';
comment on column pgreprise.setting.notify_workers is
'whether workers that listen are told at once that reports are pending, which makes commits slower';
comment on column pgreprise.setting.co2_per_km_kg is
'what a car emits in one kilometre, in kilograms, for the summary of a carbon report';

insert into pgreprise.setting default values;

grant select, update on table pgreprise.setting to pgreprise_owner;
