-- begin: what a router is made in. Everything of an earlier router is dropped first, but the servers and the login that
-- PL/Proxy uses there stay.
create extension if not exists plproxy;

-- What the host has granted to roles of its own; end gives it back.
create temporary table kept_grant on commit drop as
select
  format('execute on routine %s', found.oid::regprocedure) as granted,
  found.oid::regprocedure::text as routine,
  grantee.rolname as grantee
from pg_proc as found
cross join lateral aclexplode(found.proacl) as entry
inner join pg_roles as grantee on entry.grantee = grantee.oid
where found.pronamespace in (to_regnamespace('public'), to_regnamespace('pgreprise'))
  and found.proowner = 'pgreprise_owner'::regrole and grantee.rolname not like 'pgreprise\_%'
union all
select
  'usage on schema pgreprise',
  null,
  grantee.rolname
from pg_namespace as found
cross join lateral aclexplode(found.nspacl) as entry
inner join pg_roles as grantee on entry.grantee = grantee.oid
where found.nspname = 'pgreprise' and grantee.rolname not like 'pgreprise\_%';

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
