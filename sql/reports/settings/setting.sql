-- setting: the settings of pgreprise in this database: one row, and a column for each setting. The comment of a
-- column describes the setting, and its type and checks say which values it can have. A new setting is a new column:
-- settings() and set_setting() find it in the catalog.
-- has_run_tables is no setting, and so it has no comment: a migration writes it (host_runs/attach_run_tables). It is
-- here because routines read it together with the settings, in one look-up.
create table pgreprise.setting (
  only_row boolean not null default true,
  archive_outputs boolean not null default true,
  allow_unfinish boolean not null default false,
  has_run_tables boolean not null default false,
  updated_at timestamptz not null default now(),
  constraint setting_pkey primary key (only_row),
  constraint setting_only_row_check check (only_row)
);

comment on table pgreprise.setting is 'The settings of pgreprise in this database, in one row.';
comment on column pgreprise.setting.archive_outputs is
'whether reruns keep the outputs that they clear, so that they can be undone';
comment on column pgreprise.setting.allow_unfinish is
'whether a finished report or simulation may be written again, as older applications do';

insert into pgreprise.setting default values;

grant select, update on table pgreprise.setting to pgreprise_owner;
