-- seen_token(seen): what a preview has seen, as one word that JSON, a shell and a URL leave as it is: a digest that
-- tells whether a token is damaged, and the JSON in base64url. read_seen() reads it.
create or replace function pgreprise.seen_token(seen jsonb)
returns text
language sql
stable
begin atomic
  -- encode() breaks lines and pads.
  select pgreprise.short_digest(seen_token.seen::text)
    || translate(encode(convert_to(seen_token.seen::text, 'UTF8'), 'base64'), E'+/=\n', '-_') as token;
end;

comment on function pgreprise.seen_token(jsonb) is 'What a preview has seen, as one word.';
