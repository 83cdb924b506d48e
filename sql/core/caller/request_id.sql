-- request_id(): the id of the request that the transaction belongs to, as the API's log and its reply have it, or null
-- where no API calls. It is the transaction's setting pgreprise.request_id, which called_by sets.
-- Written in SQL so that PostgreSQL inlines it.
create or replace function pgreprise.request_id()
returns text
language sql
stable
begin atomic
  select left(nullif(current_setting('pgreprise.request_id', true), ''), 200) as request_id;
end;

comment on function pgreprise.request_id() is 'The id of the API''s request that this transaction belongs to, or null.';
