-- caller_role(): the role that the caller has set (`set role`), or null; behind a router the role that the caller has
-- there. Rows of the history take it as their default.
-- What the router says (act_for) counts only in a session of the router's role.
-- Written in SQL so that PostgreSQL inlines it.
create or replace function pgreprise.caller_role()
returns text
language sql
stable
begin atomic
  select case
    when current_setting('pgreprise.router_role', true) <> ''
      and pg_has_role(session_user, 'pgreprise_router', 'member')
      then current_setting('pgreprise.router_role', true)
    else nullif(current_setting('role'), 'none')
  end as caller_role;
end;

comment on function pgreprise.caller_role() is 'The role that the caller has set, behind a router that of its caller.';
