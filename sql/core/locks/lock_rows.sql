-- lock_rows(table_name, ids, are_deleted): lock rows of a table of the host, by id, and wait for them. Rows that are
-- only changed are locked so that rows that refer to them can still be added. Returns how many there are.
-- Raises 55P03, which names the row and who holds it (raise_lock_wait).
create or replace function pgreprise.lock_rows(table_name text, ids bigint[], are_deleted boolean default false)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  locked bigint;
begin
  if cardinality(lock_rows.ids) = 0 then
    return 0;
  end if;

  execute format('select from public.%I as wanted where wanted.id = any ($1) order by wanted.id for %s',
    lock_rows.table_name, case when lock_rows.are_deleted then 'update' else 'no key update' end)
    using lock_rows.ids;
  get diagnostics locked = row_count;
  return locked;
exception
  when lock_not_available then
    perform pgreprise.raise_lock_wait(lock_rows.table_name, lock_rows.ids, lock_rows.are_deleted);
    return 0;
end;
$$;

comment on function pgreprise.lock_rows(text, bigint[], boolean) is
'Locks rows of a table of the host for a change, or for a deletion.';
