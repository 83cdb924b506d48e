-- act_for(caller): the rest of the transaction acts for the caller of a router. caller is what pgreprise.caller() of
-- the router has made: {"claims": the claims of a token or null, "session_role", "role_setting", "is_operator",
-- "request_id", "client_address", "lock_timeout", "is_read_only", "logical_shard"; for create_rerun_batch "batch_id"
-- and "listed_elsewhere"}. Only a router may say so: the functions of schema pgreprise_shard, which call this, may be
-- executed by members of pgreprise_router alone.
-- Raises RR034 when the logical shard of the call is not here.
create or replace function pgreprise.act_for(caller jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  logical_shard constant integer := (act_for.caller ->> 'logical_shard')::integer;
begin
  -- A setting that is null is set to the empty string, which everybody reads as null.
  perform
    set_config('request.jwt.claims', act_for.caller ->> 'claims', true),
    set_config('pgreprise.request_id', act_for.caller ->> 'request_id', true),
    set_config('pgreprise.client_address', act_for.caller ->> 'client_address', true),
    set_config('pgreprise.router_session_role', act_for.caller ->> 'session_role', true),
    set_config('pgreprise.router_role_setting', act_for.caller ->> 'role_setting', true),
    set_config('pgreprise.router_operator', act_for.caller ->> 'is_operator', true),
    set_config('pgreprise.batch_id', act_for.caller ->> 'batch_id', true),
    set_config('pgreprise.listed_elsewhere', act_for.caller ->> 'listed_elsewhere', true),
    set_config('lock_timeout', coalesce(act_for.caller ->> 'lock_timeout', '0'), true),
    -- The answer comes as text, whatever the settings of this database are.
    set_config('datestyle', 'ISO', true),
    set_config('intervalstyle', 'postgres', true),
    set_config('extra_float_digits', '3', true);

  if (act_for.caller ->> 'is_read_only')::boolean then
    perform set_config('transaction_read_only', 'on', true);
  end if;

  if logical_shard is not null and not exists (
    select from pgreprise.logical_shard as known
     where known.logical_shard = own.logical_shard and known.state in ('held', 'leaving')
  ) then
    perform pgreprise.raise_shard_elsewhere(logical_shard);
  end if;
end;
$$;

comment on function pgreprise.act_for(jsonb) is 'The rest of the transaction acts for the caller of a router.';
