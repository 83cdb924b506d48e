-- checked_reason(reason): the reason that somebody gives for an act, without white space around it; null where there is
-- none.
-- Raises RR016 when it is longer than 1,000 characters.
create or replace function pgreprise.checked_reason(reason text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  trimmed constant text := nullif(btrim(checked_reason.reason, e' \t\r\n'), '');
begin
  if length(trimmed) > 1000 then
    raise exception using
      errcode = 'RR016',
      message = format('The reason has %s characters. It has at most 1000.', length(trimmed)),
      detail = jsonb_build_object('length', length(trimmed)),
      hint = 'Nothing was changed. Give a shorter reason, for example the number of a ticket.';
  end if;
  return trimmed;
end;
$$;

comment on function pgreprise.checked_reason(text) is 'The reason of an act, trimmed; RR016 when it is too long.';
