-- require_scope(scope): refuses a caller whose token lacks a scope. Entry points that an API calls ask it
-- first, so that what a token may do is decided here and nowhere else. Scopes are reports:read,
-- reports:write, reports:rerun and reports:admin; the claim "scope" lists them with spaces between (RFC 8693).
-- Without claims the right to execute the routine is enough, except for reports:admin, which
-- needs a member of pgreprise_dba.
-- Raises RR017 when the scope is missing.
create or replace function pgreprise.require_scope(scope text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  claims constant jsonb := pgreprise.claims();
begin
  if claims is null then
    if require_scope.scope <> 'reports:admin' or pgreprise.is_operator() then
      return;
    end if;
  elsif require_scope.scope = any (string_to_array(coalesce(claims ->> 'scope', ''), ' ')) then
    return;
  end if;

  raise exception using
    errcode = 'RR017',
    message = case when claims is null
      then format('Role %s may not do this: it is for members of pgreprise_dba.',
        coalesce(nullif(current_setting('role'), 'none'), session_user))
      else format('The token of %s lacks the scope %s.', coalesce(claims ->> 'sub', 'an unnamed caller'),
        require_scope.scope) end,
    detail = jsonb_build_object('scope', require_scope.scope),
    hint = case when claims is null
      then 'Ask a member of pgreprise_dba, or for membership in it.'
      else format('Use a token whose claim "scope" holds %s.', require_scope.scope) end;
end;
$$;

comment on function pgreprise.require_scope(text) is 'Refuses a caller whose token lacks the scope (RR017).';
