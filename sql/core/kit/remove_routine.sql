-- remove_routine(name, routine, installed_version): drop a routine and its registry entry, never with cascade.
-- Used by migrations only.
-- Raises 55000 when the installed version is not the expected one, 2BP01 where other objects use the routine.
create or replace function pgreprise.remove_routine(name text, routine text, installed_version integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.before_routine(remove_routine.name, remove_routine.routine,
    installed_version => remove_routine.installed_version, recreate => true);
  perform set_config('pgreprise.kept',
    (current_setting('pgreprise.kept')::jsonb - remove_routine.name)::text, true);

  delete from pgreprise.routine_version as registered where registered.name = remove_routine.name;
end;
$$;

comment on function pgreprise.remove_routine(text, text, integer) is
'Migrations only: drops a routine and forgets its version.';
