-- is_operator(): does the caller act for themselves, without a token, and as a member of pgreprise_dba?
-- Such a caller may do everything. With claims the token decides, whoever the database role is.
-- Inside a security definer routine the current user is its owner, so the session's own role is asked.
create or replace function pgreprise.is_operator()
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgreprise.claims() is null
    and pg_has_role(coalesce(nullif(current_setting('role'), 'none')::name, session_user), 'pgreprise_dba', 'member');
end;
$$;

comment on function pgreprise.is_operator() is
'Whether the caller is a member of pgreprise_dba who acts without a token.';
