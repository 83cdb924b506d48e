-- batch_state(batch, undone): what a batch has come to: open (reports remain; it can be resumed), finished, cancelled,
-- or partly undone and undone, when some or all of its reruns were undone, together or one by one. undone says how
-- many.
create or replace function pgreprise.batch_state(batch pgreprise.rerun_batch, undone bigint)
returns text
language sql
immutable
begin atomic
  select case
    when (batch_state.batch).reports > (batch_state.batch).rerun + (batch_state.batch).refused
      and (batch_state.batch).cancelled_at is null then 'open'
    when batch_state.undone > 0 and batch_state.undone >= (batch_state.batch).rerun then 'undone'
    when batch_state.undone > 0 then 'partly undone'
    when (batch_state.batch).finished_at is null then 'cancelled'
    else 'finished'
  end as state;
end;

comment on function pgreprise.batch_state(pgreprise.rerun_batch, bigint) is
'open, finished, cancelled, partly undone or undone.';
