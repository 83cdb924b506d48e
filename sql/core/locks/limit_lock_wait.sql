-- limit_lock_wait(longest): limits how long the rest of the transaction waits for a lock, unless the limit is shorter
-- already, and returns the former limit, for who puts it back. enter() has set one.
-- A statement with "skip locked" needs it, too: where a row is updated twice at this moment, PostgreSQL follows the row
-- to the newer version and waits for who holds that. With a limit shorter than the time that it takes to find a
-- deadlock there is none.
create or replace function pgreprise.limit_lock_wait(longest interval)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  former constant text := current_setting('lock_timeout');
begin
  if former::interval > limit_lock_wait.longest then
    perform set_config('lock_timeout', extract(milliseconds from limit_lock_wait.longest)::integer::text || 'ms', true);
  end if;
  return former;
end;
$$;

comment on function pgreprise.limit_lock_wait(interval) is
'Limits how long the rest of the transaction waits for a lock, and returns the former limit.';
