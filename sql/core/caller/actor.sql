-- actor(): the person on whose behalf the transaction acts, the claim "sub" of their token; null in a
-- session without claims, where the database role tells who it is.
-- In SQL, so that PostgreSQL puts it into the statement that asks: without claims it costs no call.
create or replace function pgreprise.actor()
returns text
language sql
stable
begin atomic
  select case when current_setting('request.jwt.claims', true) <> '' then pgreprise.claims() ->> 'sub' end as actor;
end;

comment on function pgreprise.actor() is 'The person behind this transaction, from the claim "sub", or null.';
