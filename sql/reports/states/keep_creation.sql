-- keep_creation(row_kind, row_id): keeps that a report or a simulation, which pgreprise has just created, is pending
-- since now. A deleted row with the same id may have left the times of a run with this number.
create or replace function pgreprise.keep_creation(row_kind text, row_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  first_run integer;
begin
  if keep_creation.row_kind = 'report' then
    first_run := (
      select report.run_sequence from public.report_outputs as report where report.id = keep_creation.row_id
    );
  else
    first_run := (
      select simulation.run_sequence from public.simulations as simulation where simulation.id = keep_creation.row_id
    );
  end if;
  insert into pgreprise.run_time as stored (row_kind, row_id, run_sequence, pending_since)
  values (keep_creation.row_kind, keep_creation.row_id, own.first_run, now())
  on conflict on constraint run_time_pkey do update
    set pending_since = excluded.pending_since, started_at = null, finished_at = null;
end;
$$;

comment on function pgreprise.keep_creation(text, bigint) is
'Keeps that a report or a simulation, which pgreprise has just created, is pending since now.';
