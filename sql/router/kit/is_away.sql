-- is_away(message): whether an error is that a server could not be reached, or was lost during the call: PL/Proxy says
-- so in its own words, and hands on the last words of a server that stops, and of a pooler that cannot reach its server
-- (as an error of class 08).
create or replace function pgreprise.is_away(message text)
returns boolean
language sql
immutable
begin atomic
  select is_away.message ~ '^PL/Proxy |^pgreprise_remote\.\S+ \[[^]]*\] REMOTE FATAL' as is_away;
end;

comment on function pgreprise.is_away(text) is 'Whether an error is that a server could not be reached.';
