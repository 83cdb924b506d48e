-- short_digest(value): 12 characters that stand for a text in a token: another text has others.
create or replace function pgreprise.short_digest(value text)
returns text
language sql
stable
begin atomic
  select left(encode(sha256(convert_to(short_digest.value, 'UTF8')), 'hex'), 12) as digest;
end;

comment on function pgreprise.short_digest(text) is 'A text as 12 characters, for a token.';
