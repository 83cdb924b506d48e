-- has_scope(scope): whether the caller may do what needs a scope. What a token may do is decided only here.
-- The scopes are reports:read, reports:write, reports:work, reports:rerun and reports:admin. The claim "scope" lists
-- them, separated by spaces (RFC 8693).
-- A caller without a token needs no scope: the right to execute the routine is enough. Only reports:admin needs
-- more, namely a member of pgreprise_dba.
-- Raises RR017 when the setting request.jwt.claims is not a JSON object.
create or replace function pgreprise.has_scope(scope text)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- What claims() begins with, without the call: most callers have none.
  if coalesce(current_setting('request.jwt.claims', true), '') = '' then
    return has_scope.scope <> 'reports:admin' or pgreprise.is_operator();
  end if;
  return has_scope.scope = any (string_to_array(coalesce(pgreprise.claims() ->> 'scope', ''), ' '));
end;
$$;

comment on function pgreprise.has_scope(text) is 'Whether the caller may do what needs a scope.';
