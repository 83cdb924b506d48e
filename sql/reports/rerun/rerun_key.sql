-- rerun_key: the idempotency keys that were used, and the rerun that was done with each. Rows are never deleted.
create table pgreprise.rerun_key (
  idempotency_key text not null,
  report_id bigint not null,
  rerun_id bigint not null,
  constraint rerun_key_pkey primary key (idempotency_key)
);

comment on table pgreprise.rerun_key is 'The idempotency keys that were used, and the rerun that was done with each.';

grant select, insert on table pgreprise.rerun_key to pgreprise_owner;
