-- routed: the entry points of this router, with the version and the checksum of each as the servers had them when the
-- router was made and how it is routed. The doctor compares them.
create table pgreprise.routed (
  name text not null,
  version integer not null,
  checksum text not null,
  route text not null,
  constraint routed_pkey primary key (name)
);

comment on table pgreprise.routed is 'The entry points of this router, as the servers had them when it was made.';

grant select on table pgreprise.routed to pgreprise_owner;
