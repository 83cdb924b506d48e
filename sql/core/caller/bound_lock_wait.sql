-- bound_lock_wait(): makes the rest of the transaction wait at most five seconds for a lock, when
-- the caller has set no lock_timeout; a stricter or looser caller keeps what it chose.
-- Entry points call it first, so that nobody waits for ever (a `set` clause would override the caller).
create or replace function pgreprise.bound_lock_wait()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('lock_timeout') = '0' then
    perform set_config('lock_timeout', '5s', true);
  end if;
end;
$$;

comment on function pgreprise.bound_lock_wait() is
'Limits lock waits of this transaction to five seconds unless the caller chose a limit.';
