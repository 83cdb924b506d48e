-- raise_server_away(message, logical_shard): the error of a call whose server PL/Proxy could not reach. message is
-- PL/Proxy's, which names the host and is for the log. Returns where it is an error of another kind, for the caller to
-- raise again. With no logical shard the call was one to all servers.
-- Raises RR035.
create or replace function pgreprise.raise_server_away(message text, logical_shard integer default null)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pgreprise.is_away(raise_server_away.message) then
    return;
  end if;
  raise log 'A server of the router is away: %', raise_server_away.message;
  raise exception using
    errcode = 'RR035',
    message = case
      when raise_server_away.logical_shard is null
        then 'A server cannot be reached, and the question is for all of them.'
      else format('The server of logical shard %s cannot be reached.', raise_server_away.logical_shard)
    end,
    detail = jsonb_build_object('logical_shard', raise_server_away.logical_shard),
    hint = 'Try again later. pgreprise shard map tells which server it is; the log of the router has the reason.';
end;
$$;

comment on function pgreprise.raise_server_away(text, integer) is 'The error of a call whose server is away.';
