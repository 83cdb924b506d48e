-- begin: what a router is made in. Everything of an earlier router is dropped first, but the servers and the login that
-- PL/Proxy uses there stay.
create extension if not exists plproxy;

do $$
<<own>>
declare
  former record;
begin
  if exists (select from pg_namespace as namespace where namespace.nspname = 'pgreprise')
    and to_regclass('pgreprise.routed') is null
  then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'This database has tables of pgreprise. It is no router.',
      hint = 'Nothing was changed. Make the router in a database of its own: createdb router';
  end if;
  for former in
    select found.oid::regprocedure as signature
      from pg_proc as found
     where found.pronamespace = 'public'::regnamespace and found.proowner = 'pgreprise_owner'::regrole
  loop
    execute format('drop routine %s', own.former.signature);
  end loop;
end;
$$;

drop schema if exists pgreprise_remote cascade;
drop schema if exists pgreprise cascade;

create schema pgreprise authorization pgreprise_owner;
create schema pgreprise_remote authorization pgreprise_owner;
revoke all on schema pgreprise, pgreprise_remote from public;
grant usage on schema pgreprise
to pgreprise_reader, pgreprise_api, pgreprise_dba, pgreprise_monitor, pgreprise_worker;
grant usage on schema public
to pgreprise_reader, pgreprise_api, pgreprise_dba, pgreprise_monitor, pgreprise_worker;
grant usage, create on schema public to pgreprise_owner;
