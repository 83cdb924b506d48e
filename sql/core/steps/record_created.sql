-- record_created: writes down which tables, types and columns of schema public a domain is about to create, so
-- that a downgrade never drops what it found. Runs before they are created; the setting pgreprise.wanted_tables
-- says which they are, and in which table of schema pgreprise to write it down.
do $$
declare
  wanted constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
begin
  execute format(
    $insert$
    insert into pgreprise.%I (name)
    select listed.name
      from jsonb_to_recordset($1 -> 'tables') as listed(name text)
     where to_regclass('public.' || listed.name) is null
    union all
    select listed.name
      from jsonb_object_keys(coalesce($1 -> 'enums', '{}')) as listed(name)
     where to_regtype('public.' || listed.name) is null
    union all
    select listed.name || '.' || wanted_column.name
      from jsonb_to_recordset($1 -> 'tables') as listed(name text, columns jsonb)
     cross join lateral jsonb_to_recordset(listed.columns) as wanted_column(name text, added boolean)
     where wanted_column.added
       and to_regclass('public.' || listed.name) is not null
       and not exists (
         select from pg_attribute as attribute
          where attribute.attrelid = to_regclass('public.' || listed.name) and attribute.attname = wanted_column.name
            and not attribute.attisdropped
       )
    $insert$,
    wanted ->> 'created'
  ) using wanted;
end;
$$;
