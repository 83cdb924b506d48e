-- notify_workers(): tells workers that listen to the channel pgreprise_pending that reports have become pending, where
-- the setting notify_workers is on. It is only a hint, with the same payload each time, so that PostgreSQL sends one a
-- transaction: workers look for pending reports at intervals all the same.
create or replace function pgreprise.notify_workers()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if (select setting.notify_workers from pgreprise.setting as setting) then
    perform pg_notify('pgreprise_pending', '');
  end if;
end;
$$;

comment on function pgreprise.notify_workers() is
'Tells workers that reports have become pending, where the setting notify_workers is on.';
