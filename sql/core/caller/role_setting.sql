-- role_setting(): the role that the caller has changed to with `set role`, or null. Where a router calls it is that of
-- the router's caller; see session_role.
-- Written in SQL so that PostgreSQL inlines it: without a router it costs nearly nothing.
create or replace function pgreprise.role_setting()
returns text
language sql
stable
begin atomic
  select case
    when current_setting('pgreprise.router_session_role', true) <> ''
      and pg_has_role(session_user, 'pgreprise_router', 'member')
      then nullif(current_setting('pgreprise.router_role_setting', true), '')
    else nullif(current_setting('role'), 'none')
  end as role_setting;
end;

comment on function pgreprise.role_setting() is
'The role that the caller has changed to, here or at a router, or null.';
