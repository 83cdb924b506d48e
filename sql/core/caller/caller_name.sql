-- caller_name(): who the caller is, by the name that the history shows: the person of the token, or else the role.
create or replace function pgreprise.caller_name()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(pgreprise.actor(), pgreprise.role_setting(), pgreprise.session_role());
end;
$$;

comment on function pgreprise.caller_name() is 'Who the caller is: the person of the token, or else the role.';
