-- session_role(): the role that the caller has logged in as. Where a router calls it is that of the router's caller, as
-- the setting pgreprise.router_session_role has it: it counts only in a session of a member of pgreprise_router.
-- Written in SQL so that PostgreSQL inlines it: without a router it costs nearly nothing.
create or replace function pgreprise.session_role()
returns text
language sql
stable
begin atomic
  select case
    when current_setting('pgreprise.router_session_role', true) <> ''
      and pg_has_role(session_user, 'pgreprise_router', 'member')
      then current_setting('pgreprise.router_session_role', true)
    else session_user::text
  end as session_role;
end;

comment on function pgreprise.session_role() is 'The role that the caller has logged in as, here or at a router.';
