-- refusal: how many acts were refused, by the hour, the kind of act and the SQLSTATE. Counters, so that a flood of
-- refusals is one row. count_refusals() writes them, and deletes those that are older than 30 days.
create table pgreprise.refusal (
  hour timestamptz not null,
  kind text not null,
  errcode text not null,
  refusals bigint not null,
  constraint refusal_pkey primary key (hour, kind, errcode)
);

comment on table pgreprise.refusal is 'How many acts were refused, by the hour, the kind of act and the SQLSTATE.';
comment on column pgreprise.refusal.hour is 'when the hour begins';
comment on column pgreprise.refusal.kind is 'what was refused: an act as in pgreprise.rerun, or batch';

grant select, insert, update, delete on table pgreprise.refusal to pgreprise_owner;
