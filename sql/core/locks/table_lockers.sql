-- table_lockers(table_name): the processes that hold a lock on this whole table which keeps others from writing rows,
-- as a change of its columns does; null when there are none.
create or replace function pgreprise.table_lockers(table_name text)
returns integer[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select array_agg(distinct held.pid order by held.pid)
      from pg_locks as held
     where held.relation = to_regclass(format('public.%I', table_lockers.table_name)) and held.granted
       and held.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
       and held.pid <> pg_backend_pid()
  );
end;
$$;

comment on function pgreprise.table_lockers(text) is 'The processes that keep others from writing to a table, or null.';
