-- carbon_created: what of schema public the upgrade created: tables, a type, columns, constraints.
create table pgreprise.carbon_created (
  name text not null,
  constraint carbon_created_pkey primary key (name)
);

comment on table pgreprise.carbon_created is
'What the carbon domain created in public, so that a downgrade never drops what it found.';
