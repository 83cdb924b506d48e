-- repaired_json(value): a text of type json without what jsonb cannot hold: the escape of NUL and halves of characters
-- (lone surrogates). Python writes such escapes, and a column of type json takes them. Each becomes the replacement
-- character, U+FFFD, or a question mark where the encoding of the database has none. as_jsonb calls this.
create or replace function pgreprise.repaired_json(value text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- First another way to write an escaped backslash, so that each \u that is left begins an escape.
  return regexp_replace(
    replace(repaired_json.value, '\\', '\u005c'),
    '\\u0000|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})'
    '|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}',
    case getdatabaseencoding() when 'UTF8' then '\\ufffd' else '?' end, 'g'
  );
end;
$$;

comment on function pgreprise.repaired_json(text) is 'A text of type json without escapes that jsonb cannot hold.';
