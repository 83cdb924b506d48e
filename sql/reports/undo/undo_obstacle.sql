-- undo_obstacle(row_kind, row_id, current ..., started_run): the reason why an undo must not overwrite a report or a
-- simulation, or null when nothing is in the way. A reason is a later run than the one that the act started, or a new
-- result. A run that a worker has only begun (status running) is no reason.
create or replace function pgreprise.undo_obstacle(
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
    when undo_obstacle.current_run is null
      then format('%s #%s was deleted', undo_obstacle.row_kind, undo_obstacle.row_id)
    when undo_obstacle.current_run < undo_obstacle.started_run
      then format('%s #%s is another row with the id of a deleted one', undo_obstacle.row_kind, undo_obstacle.row_id)
    when pgreprise.original_run(undo_obstacle.row_kind, undo_obstacle.row_id, undo_obstacle.current_run)
      <> undo_obstacle.started_run
      then format('%s #%s is at run %s, which is later than run %s', undo_obstacle.row_kind, undo_obstacle.row_id,
        undo_obstacle.current_run, undo_obstacle.started_run)
    when undo_obstacle.has_result or undo_obstacle.current_status in ('complete', 'error')
      then format('%s #%s has a new result (status %s)', undo_obstacle.row_kind, undo_obstacle.row_id,
        undo_obstacle.current_status)
  end;
end;
$$;

comment on function pgreprise.undo_obstacle(text, bigint, integer, text, boolean, integer) is
'The reason why an undo must not overwrite a report or a simulation, or null.';
