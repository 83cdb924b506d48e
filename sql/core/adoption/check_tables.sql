-- check_tables: may a domain work on the tables that this database already has?
-- The setting pgreprise.wanted_tables says which tables; the domain's file wanted_tables sets it.
-- A table of the host is kept with its data when it has every column that the routines use, of a type that they
-- can use. It only looks, and runs before schema pgreprise exists: every difference is added to pgreprise.obstacles,
-- with the statements that mend it (core/adoption/refuse_obstacles).
do $$
declare
  wanted constant jsonb := current_setting('pgreprise.wanted_tables')::jsonb;
  kinds  constant jsonb := '{
    "id": ["integer", "bigint"],
    "integer": ["smallint", "integer", "bigint"],
    "number": ["smallint", "integer", "bigint", "real", "double precision", "numeric"],
    "text": ["character varying", "text"],
    "json": ["json", "jsonb"],
    "uuid": ["character", "character varying", "text"],
    "timestamp": ["timestamp without time zone", "timestamp with time zone"]
  }';
  found  jsonb;
begin
  with tables as (
    select listed.name, listed.key, coalesce(listed.inserted, true) as inserted, listed.columns, listed.reserved,
        listed.uniques, listed.constraints, format('public.%I', listed.name) as full_name
      from jsonb_to_recordset(wanted -> 'tables') as listed(
        name text, key text, inserted boolean, columns jsonb, reserved jsonb, uniques jsonb, constraints jsonb
      )
  ),

  needed as (
    select tables.name as table_name, tables.full_name, listed.name as column_name, listed.length, listed.required,
        listed.given, listed.added, listed.optional, listed.nulled,
        array(
          select kind.type_name
            from jsonb_array_elements_text(coalesce(kinds -> listed.type, jsonb_build_array(listed.type)))
              with ordinality as kind(type_name, position)
           order by kind.position
        ) as types
      from tables
     cross join lateral jsonb_to_recordset(tables.columns) as listed(
       name text, type text, length integer, required boolean, given boolean, added boolean, optional boolean,
       nulled boolean
     )
  ),

  relations as (
    select tables.*, relation.oid, relation.relkind, relation.relrowsecurity, relation.relispartition,
        relation.reloftype, owner.rolname as owner_name
      from tables
      join pg_class as relation on relation.relname = tables.name
      join pg_namespace as namespace on namespace.oid = relation.relnamespace and namespace.nspname = 'public'
      join pg_roles as owner on owner.oid = relation.relowner
  ),

  existing as (
    select * from relations where relations.relkind = 'r'
  ),

  found_columns as (
    select
      existing.name as table_name,
      existing.full_name,
      attribute.attnum,
      attribute.attname as column_name,
      format_type(attribute.atttypid, null) as type_name,
      format_type(attribute.atttypid, attribute.atttypmod) as full_type,
      nullif(attribute.atttypmod, -1) - 4 as length,
      attribute.attnotnull as is_required,
      -- A shard gives the ids by a trigger (reports/prepare_shard).
      (
        attribute.atthasdef or attribute.attidentity <> ''
        or attribute.attname = existing.key and exists (
          select from pg_trigger as own_trigger
          where own_trigger.tgrelid = existing.oid and own_trigger.tgname = 'pgreprise_assign_id'
        )
      ) as has_default
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

  -- Tables of these names elsewhere, where public has none: without a word there would be two sets of tables.
  elsewhere as (
    select tables.name, relation.oid, relation.relkind, namespace.nspname as schema_name
      from tables
      join pg_class as relation on relation.relname = tables.name and relation.relkind in ('r', 'p', 'f')
       and relation.relpersistence <> 't'
      join pg_namespace as namespace on namespace.oid = relation.relnamespace
       and namespace.nspname not in ('public', 'pgreprise', 'pg_catalog', 'information_schema')
     where not exists (select from relations where relations.name = tables.name)
       and current_setting('pgreprise.create_tables', true) is distinct from 'yes'
       -- Most of its columns are those of the table that is meant, whatever their types.
       and (
         select count(attribute.attname) >= count(*) * 0.7
           from needed
           left join pg_attribute as attribute
             on attribute.attrelid = relation.oid and attribute.attname = needed.column_name
            and not attribute.attisdropped
          where needed.table_name = tables.name and needed.optional is not true
       )
  ),

  problems as (
    select elsewhere.name as table_name, -1 as position,
        format('public.%I: there is none, but schema %s has a table %s with these columns. pgreprise works on schema '
          'public only. Move the table (its application must look for it there), or say that new tables are wanted in '
          'public: alter database %I set pgreprise.create_tables = ''yes''', elsewhere.name, elsewhere.schema_name,
          elsewhere.name, current_database()) as problem,
        array[format('alter %s %s set schema public;',
          case elsewhere.relkind when 'f' then 'foreign table' else 'table' end, elsewhere.oid::regclass)] as statements
      from elsewhere
    union all
    select relations.name, 0, case relations.relkind
          when 'p' then relations.full_name || ': is partitioned; pgreprise builds indexes concurrently and finds rows '
            'by id alone. The statements copy the rows into a plain table; foreign keys, triggers and grants are to be '
            'made again'
          when 'v' then relations.full_name || ': is not a table, but a view'
          when 'm' then relations.full_name || ': is not a table, but a materialized view'
          when 'f' then relations.full_name || ': is not a table here, but a foreign table'
          else relations.full_name || ': is not a table'
        end,
        case relations.relkind
          when 'c' then array[format('alter type %s rename to %I;', relations.full_name, 'host_' || relations.name)]
          when 'p' then array[
            format('alter table %s rename to %I;', relations.full_name, 'host_' || relations.name),
            format('create table %s (like public.%I including all);', relations.full_name, 'host_' || relations.name),
            format('alter table %s add unique (%I);', relations.full_name, relations.key),
            format('alter table %s owner to %I;', relations.full_name, relations.owner_name),
            format('insert into %s overriding system value select * from public.%I;', relations.full_name,
              'host_' || relations.name)
          ]
          else array[format('alter table %s rename to %I;', relations.full_name, 'host_' || relations.name)]
        end
      from relations
     where relations.relkind <> 'r'
    union all
    select existing.name, 0, existing.full_name || ': is a partition of another table, and cannot get a column',
        array[format('alter table %s detach partition %s;', (
          select inherited.inhparent::regclass from pg_inherits as inherited where inherited.inhrelid = existing.oid
        ), existing.full_name)]
      from existing
     where existing.relispartition
    union all
    select existing.name, 0, format('%s: table %s inherits from it, so an id may be there twice', existing.full_name,
        inherited.inhrelid::regclass),
        array[format('alter table %s no inherit %s;', inherited.inhrelid::regclass, existing.full_name)]
      from existing
      join pg_inherits as inherited on inherited.inhparent = existing.oid
    union all
    select existing.name, 0, existing.full_name || ': is a table of a type, and cannot get a column',
        array[format('alter table %s not of;', existing.full_name)]
      from existing
     where existing.reloftype <> 0
    union all
    select existing.name, 1, existing.full_name || ': has row level security, which would hide rows from the routines',
        array[format('alter table %s disable row level security;', existing.full_name)]
      from existing
     where existing.relrowsecurity
    union all
    select needed.table_name, 2, format('%s: column %s is missing (%s)', needed.full_name, needed.column_name,
        needed.types[cardinality(needed.types)]),
        array[format('alter table %s add column %I %s%s;', needed.full_name, needed.column_name,
          needed.types[cardinality(needed.types)], case
            -- Rows that are there get numbers.
            when needed.column_name = existing.key then ' generated by default as identity'
            when needed.required then ' not null'
            else ''
          end)]
      from needed
      join existing on existing.name = needed.table_name
      left join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where found_columns.column_name is null and needed.added is not true and needed.optional is not true
    union all
    select needed.table_name, 3, format('%s: column %s is %s; usable: %s%s', needed.full_name, needed.column_name,
        found_columns.full_type, array_to_string(needed.types, ', '),
        ', of length ' || needed.length::text || ' or more'),
        array[format(
          case
            when found_columns.type_name = 'timestamp with time zone'
              then 'alter table %1$s alter column %2$I type %3$s using %2$I at time zone ''UTC'';'
            else 'alter table %1$s alter column %2$I type %3$s using %2$I::text::%3$s;'
          end,
          needed.full_name, needed.column_name, needed.types[cardinality(needed.types)]
        )]
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where found_columns.type_name <> all (needed.types)
        or (found_columns.type_name in ('character varying', 'character') and found_columns.length < needed.length)
    union all
    select needed.table_name, 4, format('%s: column %s may be null (alter column %s set not null)',
        needed.full_name, needed.column_name, needed.column_name),
        array[format('alter table %s alter column %I set not null;', needed.full_name, needed.column_name)]
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where needed.required and not found_columns.is_required
    union all
    select needed.table_name, 4, format('%s: column %s must not be null, and pgreprise writes null there',
        needed.full_name, needed.column_name),
        array[format('alter table %s alter column %I drop not null;', needed.full_name, needed.column_name)]
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where needed.nulled and found_columns.is_required
    union all
    -- Only what says so plainly: the expression of a host is not run with the rights of who migrates.
    select needed.table_name, 4, format('%s: constraint %s refuses null in column %s, and pgreprise writes null there',
        needed.full_name, entry.conname, needed.column_name),
        array[format('alter table %s drop constraint %I;', needed.full_name, entry.conname)]
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
      join existing on existing.name = needed.table_name
      join pg_constraint as entry on entry.conrelid = existing.oid and entry.contype = 'c'
     where needed.nulled and entry.conkey = array[found_columns.attnum]
       and pg_get_constraintdef(entry.oid) like '%' || quote_ident(needed.column_name) || ' IS NOT NULL)%'
       and pg_get_constraintdef(entry.oid) !~* '\m(or|case|coalesce|not \()\M'
    union all
    select existing.name, 5, format('%s: no unique index has exactly the columns (%s): add unique (%s)',
        existing.full_name, array_to_string(key.columns, ', '), array_to_string(key.columns, ', ')),
        array[format('alter table %s add unique (%s);', existing.full_name, array_to_string(key.columns, ', '))]
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
    select existing.name, 6, format('%s: %s exists and is not unique (%s)', existing.full_name, listed.name,
        (select string_agg(column_name.value, ', ') from jsonb_array_elements_text(listed.columns)
          as column_name(value))),
        array[case
          when exists (
            select from pg_constraint as entry where entry.conname = listed.name and entry.conrelid = existing.oid
          )
            then format('alter table %s rename constraint %I to %I;', existing.full_name, listed.name,
              'host_' || listed.name)
          else format('alter table public.%I rename to %I;', listed.name, 'host_' || listed.name)
        end]
      from existing
     cross join lateral jsonb_each(coalesce(existing.constraints, '{}')) as listed(name, columns)
     where exists (
         select from pg_class as relation
          where relation.relname = listed.name and relation.relnamespace = to_regnamespace('public')
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
        format('%s: column %s must be given for a new row and has no default', found_columns.full_name,
          found_columns.column_name),
        case
          when found_columns.column_name = existing.key and found_columns.type_name in ('integer', 'bigint') then array[
            -- A sequence that belongs to the column is used again.
            case
              when pg_get_serial_sequence(existing.full_name, existing.key) is null
                then format('alter table %s alter column %I add generated by default as identity;', existing.full_name,
                  existing.key)
              else format('alter table %s alter column %I set default nextval(%L);', existing.full_name, existing.key,
                pg_get_serial_sequence(existing.full_name, existing.key))
            end,
            format('select setval(pg_get_serial_sequence(%L, %L), coalesce(max(%I), 0) + 1, false) from %s;',
              existing.full_name, existing.key, existing.key, existing.full_name)
          ]
          else array[format('alter table %s alter column %I drop not null;', existing.full_name,
            found_columns.column_name)]
        end
      from found_columns
      join existing on existing.name = found_columns.table_name and existing.inserted
     where found_columns.is_required and not found_columns.has_default
       and not exists (
         select from needed
          where needed.table_name = found_columns.table_name and needed.column_name = found_columns.column_name
            and (needed.given or needed.nulled or (needed.required and needed.column_name <> existing.key))
       )
    union all
    select existing.name, 8, format('%s: column %s exists already, and pgreprise adds one of that name',
        existing.full_name, reserved.value),
        array[format('alter table %s rename column %I to %I;', existing.full_name, reserved.value,
          'host_' || reserved.value)]
      from existing
     cross join lateral jsonb_array_elements_text(coalesce(existing.reserved, '[]')) as reserved(value)
      join found_columns on found_columns.table_name = existing.name and found_columns.column_name = reserved.value
    union all
    select listed.name, 9, format('public.%I: type lacks the value %s', listed.name, label.value),
        array[format('alter type public.%I add value %L;', listed.name, label.value)]
      from jsonb_each(coalesce(wanted -> 'enums', '{}')) as listed(name, labels)
      join pg_type as type on type.typname = listed.name and type.typnamespace = to_regnamespace('public')
       and type.typtype = 'e'
     cross join lateral jsonb_array_elements_text(listed.labels) as label(value)
     where not exists (
       select from pg_enum as entry where entry.enumtypid = type.oid and entry.enumlabel = label.value
     )
    union all
    select listed.name, 9, format('public.%I: exists and is not an enum', listed.name),
        array[format('alter %s public.%I rename to %I;', case when type.typrelid = 0 or relation.relkind = 'c'
          then 'type' else 'table' end, listed.name, 'host_' || listed.name)]
      from jsonb_each(coalesce(wanted -> 'enums', '{}')) as listed(name, labels)
      join pg_type as type on type.typname = listed.name and type.typnamespace = to_regnamespace('public')
       and type.typtype <> 'e'
      left join pg_class as relation on relation.oid = type.typrelid
  )

  select jsonb_agg(
      jsonb_build_object('problem', problems.problem, 'statements', problems.statements)
      order by problems.table_name, problems.position, problems.problem
    )
    into found
    from problems;

  perform set_config('pgreprise.obstacles',
    (current_setting('pgreprise.obstacles')::jsonb || coalesce(found, '[]'))::text, false);
end;
$$;
