-- check_tables: may a domain work on the tables that this database already has?
-- The setting pgreprise.wanted_tables says which tables; the domain's file wanted_tables sets it.
-- A table of the host is kept with its data when it has every column that the routines use, of a type that they
-- can use. Otherwise this stops, lists every difference and changes nothing.
-- It only looks, and runs before schema pgreprise exists.
-- Raises 55000 with the differences in the detail, one a line.
do $$
declare
  wanted      constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
  kinds       constant jsonb := '{
    "id": ["integer", "bigint"],
    "integer": ["smallint", "integer", "bigint"],
    "number": ["smallint", "integer", "bigint", "real", "double precision", "numeric"],
    "text": ["character varying", "text"],
    "json": ["json", "jsonb"],
    "uuid": ["character", "character varying", "text"],
    "timestamp": ["timestamp without time zone", "timestamp with time zone"]
  }';
  differences text[] := '{}';
begin
  with tables as (
    select listed.name, listed.key, coalesce(listed.inserted, true) as inserted, listed.columns, listed.reserved,
        listed.uniques, listed.constraints
      from jsonb_to_recordset(wanted -> 'tables') as listed(
        name text, key text, inserted boolean, columns jsonb, reserved jsonb, uniques jsonb, constraints jsonb
      )
  ),

  needed as (
    select tables.name as table_name, listed.name as column_name, listed.length, listed.required, listed.given,
        listed.added, listed.optional,
        array(
          select kind.type_name
            from jsonb_array_elements_text(coalesce(kinds -> listed.type, jsonb_build_array(listed.type)))
              with ordinality as kind(type_name, position)
           order by kind.position
        ) as types
      from tables
     cross join lateral jsonb_to_recordset(tables.columns) as listed(
       name text, type text, length integer, required boolean, given boolean, added boolean, optional boolean
     )
  ),

  relations as (
    select tables.*, relation.oid, relation.relkind, relation.relrowsecurity
      from tables
      join pg_class as relation on relation.relname = tables.name
      join pg_namespace as namespace on namespace.oid = relation.relnamespace and namespace.nspname = 'public'
  ),

  existing as (
    select * from relations where relations.relkind in ('r', 'p')
  ),

  found_columns as (
    select
      existing.name as table_name,
      attribute.attname as column_name,
      format_type(attribute.atttypid, null) as type_name,
      format_type(attribute.atttypid, attribute.atttypmod) as full_type,
      nullif(attribute.atttypmod, -1) - 4 as length,
      attribute.attnotnull as is_required,
      (attribute.atthasdef or attribute.attidentity <> '') as has_default
    from existing
    join pg_attribute as attribute
      on attribute.attrelid = existing.oid and attribute.attnum > 0 and not attribute.attisdropped
  ),

  -- Every unique index of all rows, as the sorted names of its columns.
  unique_keys as (
    select existing.name as table_name, index_relation.relname as index_name,
        array(
          select attribute.attname::text
            from pg_attribute as attribute
           where attribute.attrelid = existing.oid and attribute.attnum = any (index_entry.indkey::smallint[])
           order by attribute.attname
        ) as columns
      from existing
      join pg_index as index_entry on index_entry.indrelid = existing.oid
      join pg_class as index_relation on index_relation.oid = index_entry.indexrelid
     where index_entry.indisunique and index_entry.indisvalid and index_entry.indpred is null
       and index_entry.indexprs is null and index_entry.indnkeyatts = index_entry.indnatts
  ),

  problems as (
    select relations.name as table_name, 0 as position, 'is not a table' as problem
      from relations
     where relations.relkind not in ('r', 'p')
    union all
    select existing.name, 1, 'has row level security, which would hide rows from the routines'
      from existing
     where existing.relrowsecurity
    union all
    select needed.table_name, 2, format('column %s is missing (%s)', needed.column_name,
        needed.types[cardinality(needed.types)])
      from needed
      join existing on existing.name = needed.table_name
      left join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where found_columns.column_name is null and needed.added is not true and needed.optional is not true
    union all
    select needed.table_name, 3, format('column %s is %s; usable: %s%s', needed.column_name, found_columns.full_type,
        array_to_string(needed.types, ', '), ', of length ' || needed.length::text || ' or more')
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where found_columns.type_name <> all (needed.types)
        or (found_columns.type_name in ('character varying', 'character') and found_columns.length < needed.length)
    union all
    select needed.table_name, 4, format('column %s may be null (alter column %s set not null)',
        needed.column_name, needed.column_name)
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where needed.required and not found_columns.is_required
    union all
    select existing.name, 5, format('no unique index has exactly the columns (%s): add unique (%s)',
        array_to_string(key.columns, ', '), array_to_string(key.columns, ', '))
      from existing
     cross join lateral (
       select array(
           select column_name.value
             from jsonb_array_elements_text(listed.columns) as column_name(value)
            order by column_name.value
         ) as columns
         from jsonb_array_elements(existing.uniques) as listed(columns)
     ) as key
     where not exists (
       select from unique_keys where unique_keys.table_name = existing.name and unique_keys.columns = key.columns
     )
    union all
    select existing.name, 6, format('%s exists and is not unique (%s)', listed.name,
        (select string_agg(column_name.value, ', ') from jsonb_array_elements_text(listed.columns)
          as column_name(value)))
      from existing
     cross join lateral jsonb_each(coalesce(existing.constraints, '{}')) as listed(name, columns)
     where exists (
         select from pg_class as relation
          where relation.relname = listed.name and relation.relnamespace = 'public'::regnamespace
         union all
         select from pg_constraint as entry where entry.conname = listed.name and entry.conrelid = existing.oid
       )
       and not exists (
         select from unique_keys
           join pg_constraint as entry on entry.conname = listed.name and entry.conrelid = existing.oid
          where unique_keys.table_name = existing.name and unique_keys.index_name = listed.name
            and unique_keys.columns = array(
              select column_name.value
                from jsonb_array_elements_text(listed.columns) as column_name(value)
               order by column_name.value
            )
       )
    union all
    select found_columns.table_name, 7,
        format('column %s must be given for a new row and has no default', found_columns.column_name)
      from found_columns
      join existing on existing.name = found_columns.table_name and existing.inserted
     where found_columns.is_required and not found_columns.has_default
       and not exists (
         select from needed
          where needed.table_name = found_columns.table_name and needed.column_name = found_columns.column_name
            and (needed.given or (needed.required and needed.column_name <> existing.key))
       )
    union all
    select existing.name, 8, format('column %s exists already, and pgreprise adds one of that name', reserved.value)
      from existing
     cross join lateral jsonb_array_elements_text(coalesce(existing.reserved, '[]')) as reserved(value)
      join found_columns on found_columns.table_name = existing.name and found_columns.column_name = reserved.value
    union all
    select listed.name, 9, format('type lacks the value %s', label.value)
      from jsonb_each(coalesce(wanted -> 'enums', '{}')) as listed(name, labels)
      join pg_type as type on type.typname = listed.name and type.typnamespace = 'public'::regnamespace
     cross join lateral jsonb_array_elements_text(listed.labels) as label(value)
     where not exists (
       select from pg_enum as entry where entry.enumtypid = type.oid and entry.enumlabel = label.value
     )
  )

  select coalesce(array_agg(
           format('public.%s: %s', problems.table_name, problems.problem)
           order by problems.table_name, problems.position, problems.problem
         ), '{}')
    into differences
    from problems;

  if cardinality(differences) > 0 then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('pgreprise cannot work on the tables of this database: %s. Nothing was changed.',
        case cardinality(differences) when 1 then '1 difference' else cardinality(differences) || ' differences' end),
      detail = array_to_string(differences, E'\n'),
      hint = 'Change the tables as listed, or rename them and let pgreprise create its own, then migrate again.';
  end if;
end;
$$;
