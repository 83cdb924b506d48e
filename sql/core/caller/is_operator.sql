-- is_operator(): whether the caller has no token and is a member of pgreprise_dba. Such a caller may do everything.
-- A caller with a token may do what the token allows, whatever the database role.
-- Inside a security definer routine current_user is the routine's owner, so this asks for the role of the session.
-- Where a router calls, the router has asked: its roles may be others than those of this server. What it says is the
-- setting pgreprise.router_operator, which counts only in a session of a member of pgreprise_router.
create or replace function pgreprise.is_operator()
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgreprise.claims() is null
    and case
      when current_setting('pgreprise.router_session_role', true) <> ''
        and pg_has_role(session_user, 'pgreprise_router', 'member')
        then current_setting('pgreprise.router_operator', true) = 'true'
      else pg_has_role(coalesce(nullif(current_setting('role'), 'none')::name, session_user), 'pgreprise_dba', 'member')
    end;
end;
$$;

comment on function pgreprise.is_operator() is
'Whether the caller is a member of pgreprise_dba who acts without a token.';
