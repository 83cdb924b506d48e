-- rerun_batch_item: the reports of a batch, as they were listed when it was created.
create table pgreprise.rerun_batch_item (
  batch_id bigint not null,
  report_id bigint not null,
  state text not null default 'pending',
  errcode text,
  message text,
  constraint rerun_batch_item_pkey primary key (batch_id, report_id),
  constraint rerun_batch_item_state_check check (state in ('pending', 'rerun', 'refused'))
);

create index rerun_batch_item_pending on pgreprise.rerun_batch_item (batch_id, report_id) where state = 'pending';
create index rerun_batch_item_refused on pgreprise.rerun_batch_item (batch_id, report_id) where state = 'refused';

comment on table pgreprise.rerun_batch_item is 'The reports of a batch, and the reasons why some were refused.';

grant select, insert, update on table pgreprise.rerun_batch_item to pgreprise_owner;
