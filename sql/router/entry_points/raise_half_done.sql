-- raise_half_done(what, done, failed, refusal): the error of a change that some servers have and others have not.
-- refusal is that of the server that failed, null where it could not be reached.
-- Raises RR035.
create or replace function pgreprise.raise_half_done(what text, done text[], failed text, refusal jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR035',
    message = format('%s: %s has not got it (%s).%s', raise_half_done.what, raise_half_done.failed,
      coalesce(raise_half_done.refusal ->> 'message', 'it cannot be reached'),
      case when cardinality(raise_half_done.done) > 0
        then ' These have: ' || array_to_string(raise_half_done.done, ', ') || '.' else ' No other server has.' end),
    detail = jsonb_build_object('done', to_jsonb(raise_half_done.done), 'failed', raise_half_done.failed),
    hint = 'Call it again when all servers can be reached: those that have it stay as they are.';
end;
$$;

comment on function pgreprise.raise_half_done(text, text[], text, jsonb) is
'The error of a change that some servers have and others have not.';
