-- record_created: write down which tables, types and columns of schema public a domain is about to create, so
-- that a downgrade never drops what it found. Runs before they are created; the setting pgreprise.wanted_tables
-- says which they are.
do $$
declare
  wanted constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
begin
  insert into pgreprise.created_object (domain, name)
  select wanted ->> 'domain', listed.name
    from jsonb_to_recordset(wanted -> 'tables') as listed(name text)
   where to_regclass('public.' || listed.name) is null
  union all
  select wanted ->> 'domain', listed.name
    from jsonb_object_keys(coalesce(wanted -> 'enums', '{}')) as listed(name)
   where to_regtype('public.' || listed.name) is null
  union all
  select wanted ->> 'domain', listed.name || '.' || wanted_column.name
    from jsonb_to_recordset(wanted -> 'tables') as listed(name text, columns jsonb)
   cross join lateral jsonb_to_recordset(listed.columns) as wanted_column(name text, added boolean)
   where wanted_column.added
     and to_regclass('public.' || listed.name) is not null
     and not exists (
       select from pg_attribute as attribute
        where attribute.attrelid = to_regclass('public.' || listed.name) and attribute.attname = wanted_column.name
          and not attribute.attisdropped
     );
end;
$$;
