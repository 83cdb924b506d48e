-- configuration: the settings of pgreprise in this database, read by setting(), written by set_setting().
create table pgreprise.configuration (
  name text not null,
  value text not null,
  allowed text[] not null,
  description text not null,
  updated_at timestamptz not null default now(),
  constraint configuration_pkey primary key (name),
  constraint configuration_value_check check (value = any (allowed))
);

comment on table pgreprise.configuration is 'The settings of pgreprise in this database.';

insert into pgreprise.configuration (name, value, allowed, description) values
('archive_outputs', 'on', '{on,off}', 'whether a rerun keeps the outputs that it clears; without them it cannot be undone');

grant select, update on table pgreprise.configuration to pgreprise_owner;
