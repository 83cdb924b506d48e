-- server_name: what people call the servers of this router, by how PL/Proxy connects to them.
create table pgreprise.server_name (
  connection text not null,
  name text not null,
  constraint server_name_pkey primary key (connection),
  constraint server_name_unique unique (name)
);

comment on table pgreprise.server_name is 'The names of the servers of this router.';

grant select on table pgreprise.server_name to pgreprise_owner;
