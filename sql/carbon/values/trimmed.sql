-- trimmed(value): a text without the white space around it: spaces, tabs and line ends. What people type and paste is
-- stored and compared so.
create or replace function pgreprise.trimmed(value text)
returns text
language sql
immutable
begin atomic
  select btrim(trimmed.value, e' \t\n\r\f\v');
end;

comment on function pgreprise.trimmed(text) is 'A text without the white space around it.';
