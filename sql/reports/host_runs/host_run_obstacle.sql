-- host_run_obstacle(row_kind, row_id, started_run, is_ours): the reason why an undo must not remove the run that an act
-- has added to the application's own tables of runs, or null when nothing is in the way. A reason is that the
-- application has written to the run, deleted it, or added a later one.
-- An undo has locked the run (lock_host_runs_of_act).
-- To be called only where pgreprise.setting.has_run_tables.
create or replace function pgreprise.host_run_obstacle(
  row_kind text, row_id bigint, started_run integer, is_ours boolean default false
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  added record;
  found_run record;
begin
  select host_run.host_run_id, host_run.host_run_sequence into added
    from pgreprise.host_run as host_run
   where host_run.row_kind = host_run_obstacle.row_kind
     and host_run.row_id = host_run_obstacle.row_id
     and host_run.run_sequence = host_run_obstacle.started_run
     and host_run.removed is null;
  if not found then
    return null;
  end if;

  if host_run_obstacle.row_kind = 'report' then
    select run.status::text as status, run.started_at is not null or run.output is not null
        or run.error_message is not null as is_written,
        exists (
          select from public.report_output_runs as later
           where later.report_output_id = run.report_output_id and later.run_sequence > run.run_sequence
        ) as has_later
      into found_run
      from public.report_output_runs as run
     where run.report_output_id = host_run_obstacle.row_id
       and run.run_sequence = own.added.host_run_sequence
       and run.id = own.added.host_run_id;
  else
    select run.status::text as status, run.started_at is not null or run.output is not null
        or run.error_message is not null as is_written,
        exists (
          select from public.simulation_runs as later
           where later.simulation_id = run.simulation_id and later.run_sequence > run.run_sequence
        ) as has_later
      into found_run
      from public.simulation_runs as run
     where run.simulation_id = host_run_obstacle.row_id
       and run.run_sequence = own.added.host_run_sequence
       and run.id = own.added.host_run_id;
  end if;

  return case
    when found_run.status is null
      then format('the application has deleted its run %s of %s #%s', added.host_run_id, host_run_obstacle.row_kind,
        host_run_obstacle.row_id)
    when found_run.has_later
      then format('the application has a later run of %s #%s than %s', host_run_obstacle.row_kind,
        host_run_obstacle.row_id, added.host_run_id)
    when (found_run.status <> 'pending' or found_run.is_written) and not host_run_obstacle.is_ours
      then format('the application''s run %s of %s #%s has been written (status %s)', added.host_run_id,
        host_run_obstacle.row_kind, host_run_obstacle.row_id, found_run.status)
  end;
end;
$$;

comment on function pgreprise.host_run_obstacle(text, bigint, integer, boolean) is
'The reason why an undo must not remove the run that an act has added to the application''s tables, or null.';
