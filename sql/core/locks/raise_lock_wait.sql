-- raise_lock_wait(table_name, ids, are_deleted, key_column): the error of a caller who waited too long for one of
-- these rows, or, without ids, for a row that another caller is about to create. It names the row and the process that
-- holds it, its role, and, where the owner of the routines may see them (pg_read_all_stats), how long its transaction
-- lasts. A block that locks rows calls it when lock_not_available is raised. are_deleted says that the rows were to be
-- locked for update, else for no key update. Always raises.
-- Raises 55P03.
create or replace function pgreprise.raise_lock_wait(
  table_name text, ids bigint[], are_deleted boolean default false, key_column text default 'id'
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  blocked   bigint;
  held_by   text;
  holders   text[];
  processes integer[];
  holder    text;
  is_table  boolean := false;
begin
  processes := pgreprise.table_lockers(raise_lock_wait.table_name);
  if processes is not null then
    is_table := true;
  elsif cardinality(raise_lock_wait.ids) > 0 then
    -- Those that can be locked now are not what this waited for.
    select locked.row_id, locked.held_by into blocked, held_by
      from pgreprise.locked_rows(raise_lock_wait.table_name, raise_lock_wait.ids, raise_lock_wait.are_deleted,
        raise_lock_wait.key_column) as locked
     order by locked.row_id
     limit 1;
  end if;

  -- xmax is who holds the row, or the number of a list where several do.
  if held_by is not null and not exists (select from pg_locks as held where held.transactionid::text = held_by) then
    begin
      holders := array(select member.xid::text from pg_get_multixact_members(held_by::xid) as member);
    exception
      when invalid_parameter_value or internal_error then null;
    end;
  end if;
  select coalesce(own.processes, array_agg(held.pid order by held.pid)) into processes
    from pg_locks as held
   where held.locktype = 'transactionid' and held.granted and held.mode = 'ExclusiveLock'
     and held.transactionid::text = any (coalesce(holders, array[held_by])) and held.pid <> pg_backend_pid();
  if processes is null then
    -- A part of a transaction that was a block of its own has left no trace but the lock of its table.
    select array_agg(distinct held.pid order by held.pid) into processes
      from pg_locks as held
     where held.relation = format('public.%I', raise_lock_wait.table_name)::regclass
       and held.mode in ('RowShareLock', 'RowExclusiveLock') and held.granted and held.pid <> pg_backend_pid();
  end if;

  select string_agg(format('process %s of role %s%s', activity.pid, activity.usename,
      ', whose transaction has lasted for '
        || extract(epoch from clock_timestamp() - activity.xact_start)::bigint::text || ' s'), ' or ') into holder
    from pg_stat_activity as activity
   where activity.pid = any (processes);
  raise exception using
    errcode = 'lock_not_available',
    message = format('%s by %s. Nothing was changed.',
      case when is_table then format('Table %s is locked', raise_lock_wait.table_name)
        when blocked is null then format('Rows of %s were locked', raise_lock_wait.table_name)
        else format('Row %s of %s is locked', blocked, raise_lock_wait.table_name) end,
      coalesce(holder, 'another transaction')),
    detail = jsonb_build_object('table', raise_lock_wait.table_name, raise_lock_wait.key_column, blocked,
      'processes', coalesce(processes, '{}')),
    hint = format('Try again. What the process does: select * from pg_stat_activity where pid in (%s);',
      array_to_string(processes, ', '));
end;
$$;

comment on function pgreprise.raise_lock_wait(text, bigint[], boolean, text) is
'The error of a caller who waited too long for a row (55P03): which row, and who holds it.';
