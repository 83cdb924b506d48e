-- moved_on(row_kind, row_id, current ..., started_run): why an undo must not overwrite a report or simulation:
-- a later run than the one that the undone act started, or a result; null when nothing is in the way. What a
-- worker has only begun (status running) is not.
create or replace function pgreprise.moved_on(
  row_kind text,
  row_id bigint,
  current_run integer,
  current_status text,
  has_result boolean,
  started_run integer
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when moved_on.current_run is null
      then format('%s #%s is gone', moved_on.row_kind, moved_on.row_id)
    when moved_on.current_run < moved_on.started_run
      then format('%s #%s is another row, which has the id of a deleted one', moved_on.row_kind, moved_on.row_id)
    when pgreprise.original_run(moved_on.row_kind, moved_on.row_id, moved_on.current_run) <> moved_on.started_run
      then format('%s #%s is at run %s, a later one than run %s', moved_on.row_kind, moved_on.row_id,
        moved_on.current_run, moved_on.started_run)
    when moved_on.has_result or moved_on.current_status in ('complete', 'error')
      then format('%s #%s has a result again (status %s)', moved_on.row_kind, moved_on.row_id, moved_on.current_status)
  end;
end;
$$;

comment on function pgreprise.moved_on(text, bigint, integer, text, boolean, integer) is
'Why an undo would overwrite something of a report or simulation, or null.';
