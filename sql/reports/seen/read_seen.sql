-- read_seen(token, kind): what the token of a preview holds. kind is report, batch or undo: what the preview was of.
-- Raises RR016 for a text that is no such token.
create or replace function pgreprise.read_seen(token text, kind text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  -- No preview makes a longer one.
  longest       constant integer := 1000000;
  digest_length constant integer := 12;
  coded         text := substr(read_seen.token, digest_length + 1);
  content       text;
  seen          jsonb;
begin
  begin
    if length(read_seen.token) <= longest then
      content := convert_from(
        decode(rpad(translate(coded, '-_', '+/'), (length(coded) + 3) / 4 * 4, '='), 'base64'), 'UTF8'
      );
      if pgreprise.short_digest(content) = left(read_seen.token, digest_length) then
        seen := content::jsonb;
      end if;
    end if;
  exception
    when data_exception or program_limit_exceeded then
      null;
  end;

  -- The token of an undo tells the run of a report, too.
  if jsonb_typeof(seen -> read_seen.kind) is distinct from 'object' or (seen ? 'undo' and read_seen.kind <> 'undo')
    or exists (select from jsonb_each(own.seen) as member where jsonb_typeof(member.value) <> 'object')
  then
    raise exception using
      errcode = 'RR016',
      message = format('The value of seen is not the token of a preview of %s. Nothing was changed.',
        case read_seen.kind when 'undo' then 'an undo' else 'a ' || read_seen.kind end),
      detail = jsonb_build_object('seen', left(read_seen.token, 100)),
      hint = 'Pass the value of the column seen of a preview, as it is.';
  end if;
  return seen;
end;
$$;

comment on function pgreprise.read_seen(text, text) is 'What the token of a preview holds.';
