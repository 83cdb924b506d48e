-- is_known_tag(tag, known_tags): whether somebody who has the versions with known_tags has this one. '*' is any.
-- Without known_tags they have none.
create or replace function pgreprise.is_known_tag(tag text, known_tags text[])
returns boolean
language sql
immutable
begin atomic
  select coalesce(is_known_tag.known_tags && array[is_known_tag.tag, '*'], false);
end;

comment on function pgreprise.is_known_tag(text, text[]) is 'Whether a tag is one that the caller has.';
