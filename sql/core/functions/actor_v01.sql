-- actor(): the person on whose behalf the transaction acts, the claim "sub" of their token; null in a
-- session without claims, where the database role tells who it is.
create or replace function pgreprise.actor()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgreprise.claims() ->> 'sub';
end;
$$;

comment on function pgreprise.actor() is 'The person behind this transaction, from the claim "sub", or null.';
