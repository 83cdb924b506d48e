-- batch_state(counts and times of a batch, undone): what a batch has come to: open (reports remain; it can be resumed),
-- finished, cancelled, or partly undone and undone, when some or all of its reruns were undone, together or one by one.
-- undone says how many.
create or replace function pgreprise.batch_state(
  reports bigint, rerun bigint, refused bigint, finished_at timestamptz, cancelled_at timestamptz, undone bigint
)
returns text
language sql
immutable
begin atomic
  select case
    when batch_state.reports > batch_state.rerun + batch_state.refused and batch_state.cancelled_at is null then 'open'
    when batch_state.undone > 0 and batch_state.undone >= batch_state.rerun then 'undone'
    when batch_state.undone > 0 then 'partly undone'
    when batch_state.finished_at is null then 'cancelled'
    else 'finished'
  end as state;
end;

comment on function pgreprise.batch_state(bigint, bigint, bigint, timestamptz, timestamptz, bigint) is
'open, finished, cancelled, partly undone or undone.';
