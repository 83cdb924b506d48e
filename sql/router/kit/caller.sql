-- caller(logical_shard, earlier): who calls, for a shard: the claims of the token, the roles, the request. Settings do
-- not travel to another server, so they are an argument of each call there. earlier is what this function returned in a
-- transaction of the same call that has ended since. The roles are always those of this session: nobody can say that he
-- is somebody else.
create or replace function pgreprise.caller(logical_shard integer default null, earlier jsonb default null)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  role_setting constant name := nullif(current_setting('role'), 'none')::name;
begin
  -- What is no object would hide the roles.
  return coalesce(case when jsonb_typeof(caller.earlier) = 'object' then caller.earlier end, jsonb_build_object(
    'claims', nullif(current_setting('request.jwt.claims', true), ''),
    'request_id', nullif(current_setting('pgreprise.request_id', true), ''),
    'client_address', coalesce(nullif(current_setting('pgreprise.client_address', true), ''), host(inet_client_addr())),
    'lock_timeout', current_setting('lock_timeout'),
    'is_read_only', current_setting('transaction_read_only') = 'on'
  )) || jsonb_build_object(
    'session_role', session_user,
    'role_setting', role_setting,
    'is_operator', pg_has_role(coalesce(role_setting, session_user), 'pgreprise_dba', 'member'),
    'logical_shard', caller.logical_shard
  );
end;
$$;

comment on function pgreprise.caller(integer, jsonb) is 'Who calls, as an argument for a shard.';
