-- rerun_key: the idempotency keys that were used, each for the one rerun it did. Never purged.
create table pgreprise.rerun_key (
  idempotency_key text not null,
  report_id bigint not null,
  rerun_id bigint not null,
  constraint rerun_key_pkey primary key (idempotency_key)
);

comment on table pgreprise.rerun_key is 'Idempotency keys: a key that stands here is never rerun again.';

grant select, insert on table pgreprise.rerun_key to pgreprise_owner;
