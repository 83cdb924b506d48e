-- keep_run_time(row_kind, row_id, run_sequence, status): keeps in pgreprise.run_time that a run of a report or a
-- simulation has this status now: started_at is set at running and complete, finished_at at complete and error, and
-- both are null again at pending. An error that never ran has no start.
create or replace function pgreprise.keep_run_time(row_kind text, row_id bigint, run_sequence integer, status text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  is_over constant boolean := keep_run_time.status in ('complete', 'error');
begin
  -- A run that is pending, and never was anything else, needs no row.
  if keep_run_time.status = 'pending' then
    update pgreprise.run_time as stored
       set started_at = null, finished_at = null
     where stored.row_kind = keep_run_time.row_kind
       and stored.row_id = keep_run_time.row_id
       and stored.run_sequence = keep_run_time.run_sequence;
    return;
  end if;

  insert into pgreprise.run_time as stored (row_kind, row_id, run_sequence, started_at, finished_at)
  values (keep_run_time.row_kind, keep_run_time.row_id, keep_run_time.run_sequence,
    case when keep_run_time.status <> 'error' then clock_timestamp() end,
    case when own.is_over then clock_timestamp() end)
  on conflict on constraint run_time_pkey do update
    set started_at = coalesce(stored.started_at, excluded.started_at),
        finished_at = case when own.is_over then coalesce(stored.finished_at, clock_timestamp()) end;
end;
$$;

comment on function pgreprise.keep_run_time(text, bigint, integer, text) is
'Keeps when a run was started and finished, where the application has no columns for it.';
