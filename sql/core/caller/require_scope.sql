-- require_scope(scope): refuses a caller who may not do what needs a scope (has_scope).
-- Raises RR017 when the scope is missing.
create or replace function pgreprise.require_scope(scope text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  claims jsonb;
begin
  if pgreprise.has_scope(require_scope.scope) then
    return;
  end if;

  claims := pgreprise.claims();
  raise exception using
    errcode = 'RR017',
    message = case when claims is null
      then format('Role %s may not do this. Only members of pgreprise_dba may.',
        coalesce(pgreprise.role_setting(), pgreprise.session_role()))
      else format('The token of %s does not have the scope %s.', coalesce(claims ->> 'sub', 'an unnamed caller'),
        require_scope.scope) end,
    detail = jsonb_build_object('scope', require_scope.scope),
    hint = case when claims is null
      then 'Ask a member of pgreprise_dba to do it, or to make this role a member.'
      else format('Use a token whose claim "scope" contains %s.', require_scope.scope) end;
end;
$$;

comment on function pgreprise.require_scope(text) is 'Refuses a caller whose token does not have the scope (RR017).';
