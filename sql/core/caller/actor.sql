-- actor(): the person who is behind the transaction: the claim "sub" of the caller's token. It is null in a session
-- without claims; there the database role tells who it is.
-- Written in SQL so that PostgreSQL inlines it: without claims it costs no function call.
create or replace function pgreprise.actor()
returns text
language sql
stable
begin atomic
  select case when current_setting('request.jwt.claims', true) <> '' then pgreprise.claims() ->> 'sub' end as actor;
end;

comment on function pgreprise.actor() is 'The person behind this transaction, from the claim "sub", or null.';
