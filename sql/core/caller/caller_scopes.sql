-- caller_scopes(): who the caller is, and which of the scopes the caller has: one row for each of the five, those that
-- allow least first. actor is the person of the token, or where there is none the role, as rerun_history() shows it.
-- It needs no scope: anybody may ask about himself. A caller without a token has all scopes but reports:admin, and what
-- the role may call is decided by EXECUTE; see has_scope. Changes nothing.
-- Raises RR017 when the setting request.jwt.claims is not a JSON object.
create or replace function public.caller_scopes()
returns table (scope text, is_held boolean, actor text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select listed.scope, pgreprise.has_scope(listed.scope), pgreprise.caller_name()
      from (
        values (1, 'reports:read'), (2, 'reports:write'), (3, 'reports:work'), (4, 'reports:rerun'),
          (5, 'reports:admin')
      ) as listed(position, scope)
     order by listed.position;
end;
$$;

comment on function public.caller_scopes() is 'Who the caller is, and which of the five scopes the caller has.';

grant execute on function public.caller_scopes()
to pgreprise_reader, pgreprise_api, pgreprise_worker, pgreprise_monitor, pgreprise_dba;
