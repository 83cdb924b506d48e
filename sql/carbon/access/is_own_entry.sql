-- is_own_entry(data, own_institutional_id): whether a caller who is limited to the entries of this institutional id may
-- see and write an entry with these data. Everything is allowed where the limit is null (see require_module_access).
create or replace function pgreprise.is_own_entry(data jsonb, own_institutional_id text)
returns boolean
language sql
immutable
begin atomic
  select is_own_entry.own_institutional_id is null
    or coalesce(is_own_entry.data ->> 'user_institutional_id' = nullif(is_own_entry.own_institutional_id, ''), false);
end;

comment on function pgreprise.is_own_entry(jsonb, text) is
'Whether an entry is one of those that the caller is limited to.';
