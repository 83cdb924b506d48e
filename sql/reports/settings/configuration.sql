-- configuration: the settings of pgreprise in this database, read by setting(), written by set_setting().
create table pgreprise.configuration (
  name text not null,
  value text not null,
  allowed text[] not null,
  description text not null,
  updated_at timestamptz not null default now(),
  constraint configuration_pkey primary key (name),
  constraint configuration_value_check check (array_position(allowed, value) is not null)
);

comment on table pgreprise.configuration is 'The settings of pgreprise in this database.';

insert into pgreprise.configuration (name, value, allowed, description) values
('archive_outputs', 'on', '{on,off}', 'whether reruns keep the outputs that they clear, so that they can be undone');

grant select, update on table pgreprise.configuration to pgreprise_owner;
