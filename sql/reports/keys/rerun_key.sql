-- rerun_key: the idempotency keys that were used, and what was done with each. kind is rerun, undo, cancel_run,
-- release_run, rerun_batch or undo_batch. target_id is what it was done to: the report, or the rerun or the batch that
-- was undone; null for a batch that was made. made_id is what was done: the number of the act, or of the batch. Rows
-- are never deleted.
create table pgreprise.rerun_key (
  idempotency_key text not null,
  kind text not null,
  target_id bigint,
  made_id bigint not null,
  constraint rerun_key_pkey primary key (idempotency_key),
  constraint rerun_key_kind_check check (
    kind in ('rerun', 'undo', 'cancel_run', 'release_run', 'rerun_batch', 'undo_batch')
  )
);

comment on table pgreprise.rerun_key is 'The idempotency keys that were used, and what was done with each.';
comment on column pgreprise.rerun_key.target_id is
'the report, or the rerun or the batch that was undone; null for a batch that was made';
comment on column pgreprise.rerun_key.made_id is 'the number of the act, or of the batch';

grant select, insert on table pgreprise.rerun_key to pgreprise_owner;
