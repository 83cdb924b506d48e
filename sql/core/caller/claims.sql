-- claims(): what the caller's token says about the caller. It returns the transaction's setting request.jwt.claims as
-- a JSON object, or null where nobody has set it. PostgREST uses the same name.
-- Anyone who can set it can claim anything. An API therefore sets it only after it has verified a token; for roles
-- that write SQL themselves, EXECUTE decides what they may do.
-- Raises RR017 when the setting is not a JSON object.
create or replace function pgreprise.claims()
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A setting that was set for one transaction is empty, not null, after that transaction.
  setting constant text := nullif(current_setting('request.jwt.claims', true), '');
begin
  if setting is null then
    return null;
  end if;

  begin
    if jsonb_typeof(setting::jsonb) = 'object' then
      return setting::jsonb;
    end if;
  exception
    when invalid_text_representation or untranslatable_character then null;
  end;

  raise exception using
    errcode = 'RR017',
    message = 'The setting request.jwt.claims is not a JSON object.',
    detail = jsonb_build_object(),
    hint = 'Set it to the claims of a token, such as {"sub": "alice", "scope": "reports:read"}, or reset it.';
end;
$$;

comment on function pgreprise.claims() is
'The claims of the caller''s token in this transaction, or null where there is none.';
