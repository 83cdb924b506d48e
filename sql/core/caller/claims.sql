-- claims(): who the caller is, as the transaction's setting request.jwt.claims says: the claims of a
-- verified token as a JSON object, or null where nobody set them. The name is PostgREST's convention.
-- Whoever may set it, may claim anything: an API sets it after it has verified a token, and in SQL it is
-- EXECUTE that decides what a role may do.
-- Raises RR017 for a setting that is not a JSON object.
create or replace function pgreprise.claims()
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- What was set for a transaction is empty, not null, after it.
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
