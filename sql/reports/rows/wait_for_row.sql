-- wait_for_row(table_name, row_id): waits until a report or simulation is free, and locks it for a change; nothing
-- where there is none. Callers try the row with `skip locked` first and come here only where they did not get it: a
-- block that can catch an error costs something, and would lock each row twice.
-- Raises 55P03, which names the row and who holds it (raise_lock_wait).
create or replace function pgreprise.wait_for_row(table_name text, row_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if wait_for_row.table_name = 'report_outputs' then
    perform from public.report_outputs as report where report.id = wait_for_row.row_id for no key update;
  else
    perform from public.simulations as simulation where simulation.id = wait_for_row.row_id for no key update;
  end if;
exception
  when lock_not_available then
    perform pgreprise.raise_lock_wait(wait_for_row.table_name, array[wait_for_row.row_id]);
end;
$$;

comment on function pgreprise.wait_for_row(text, bigint) is
'Waits for a report or simulation that somebody holds, and locks it.';
