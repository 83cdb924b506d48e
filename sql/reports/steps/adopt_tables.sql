-- adopt_tables: may pgreprise work on the tables that this database already has?
-- A host's table is kept with its data when it has every column that the routines use, of a type
-- that they can use. Otherwise this stops with every difference listed and nothing changed.
-- It only looks, and runs before schema pgreprise exists.
-- Raises 55000 with the differences in the detail, one a line.
do $$
declare
  integers    constant text[] := '{smallint,integer,bigint}';
  big_enough  constant text[] := '{integer,bigint}';
  texts       constant text[] := '{character varying,text}';
  jsons       constant text[] := '{json,jsonb}';
  timestamps  constant text[] := '{timestamp without time zone,timestamp with time zone}';
  differences text[] := '{}';
begin
  with needed (table_name, column_name, types, length, required) as (
    values
      ('simulations', 'id', big_enough, null::integer, true),
      ('simulations', 'country_id', texts, 3, true),
      ('simulations', 'api_version', texts, 10, true),
      ('simulations', 'population_id', texts, 255, true),
      ('simulations', 'population_type', texts, 50, true),
      ('simulations', 'policy_id', integers, null, true),
      ('simulations', 'status', texts, 32, true),
      ('simulations', 'output', jsons, null, false),
      ('simulations', 'error_message', texts, null, false),
      ('report_outputs', 'id', big_enough, null, true),
      ('report_outputs', 'country_id', texts, 3, true),
      ('report_outputs', 'simulation_1_id', big_enough, null, true),
      ('report_outputs', 'simulation_2_id', big_enough, null, false),
      ('report_outputs', 'api_version', texts, 10, true),
      ('report_outputs', 'status', texts, 32, true),
      ('report_outputs', 'output', jsons, null, false),
      ('report_outputs', 'error_message', texts, null, false),
      ('report_outputs', 'year', texts, 4, false),
      ('reform_impact', 'reform_impact_id', big_enough, null, true),
      ('reform_impact', 'baseline_policy_id', integers, null, true),
      ('reform_impact', 'reform_policy_id', integers, null, true),
      ('reform_impact', 'country_id', texts, 3, true),
      ('reform_impact', 'region', texts, null, true),
      ('reform_impact', 'dataset', texts, null, true),
      ('reform_impact', 'time_period', texts, null, true),
      ('reform_impact', 'options_json', jsons, null, false),
      ('reform_impact', 'options_hash', texts, null, false),
      ('reform_impact', 'api_version', texts, null, true),
      ('reform_impact', 'reform_impact_json', jsons, null, false),
      ('reform_impact', 'status', texts, null, true),
      ('reform_impact', 'message', texts, null, false),
      ('reform_impact', 'start_time', timestamps, null, false),
      ('reform_impact', 'end_time', timestamps, null, false),
      ('reform_impact', 'execution_id', texts, null, false)
  ),

  relations as (
    select
      wanted.table_name,
      wanted.key_name,
      wanted.inserted,
      relation.oid,
      relation.relkind,
      relation.relrowsecurity
    from (
      values
        ('simulations', 'id', true),
        ('report_outputs', 'id', true),
        ('reform_impact', 'reform_impact_id', false)
    ) as wanted(table_name, key_name, inserted)
    join pg_class as relation on relation.relname = wanted.table_name
    join pg_namespace as namespace on namespace.oid = relation.relnamespace and namespace.nspname = 'public'
  ),

  existing as (
    select * from relations where relations.relkind in ('r', 'p')
  ),

  found_columns as (
    select
      existing.table_name,
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

  problems as (
    select relations.table_name, 0 as position, 'is not a table' as problem
      from relations
     where relations.relkind not in ('r', 'p')
    union all
    select existing.table_name, 1, 'has row level security, which would hide rows from the routines'
      from existing
     where existing.relrowsecurity
    union all
    select needed.table_name, 2, format('column %s is missing (%s)', needed.column_name,
        needed.types[cardinality(needed.types)])
      from needed
      join existing on existing.table_name = needed.table_name
      left join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where found_columns.column_name is null
    union all
    select needed.table_name, 3, format('column %s is %s; usable: %s%s', needed.column_name,
        found_columns.full_type, array_to_string(needed.types, ', '),
        ', of length ' || needed.length::text || ' or more')
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where found_columns.type_name <> all (needed.types)
        or (found_columns.type_name = 'character varying' and found_columns.length < needed.length)
    union all
    select needed.table_name, 4, format('column %s may be null (alter column %s set not null)',
        needed.column_name, needed.column_name)
      from needed
      join found_columns
        on found_columns.table_name = needed.table_name and found_columns.column_name = needed.column_name
     where needed.required and not found_columns.is_required
    union all
    select existing.table_name, 5, format('column %s is not unique (add primary key (%s))',
        existing.key_name, existing.key_name)
      from existing
      join pg_attribute as attribute
        on attribute.attrelid = existing.oid and attribute.attname = existing.key_name
     where not exists (
       select from pg_index as index_entry
        where index_entry.indrelid = existing.oid
          and index_entry.indisunique and index_entry.indisvalid and index_entry.indpred is null
          and index_entry.indnkeyatts = 1 and index_entry.indkey[0] = attribute.attnum
     )
    union all
    select found_columns.table_name, 6,
        format('column %s must be given for a new row and has no default', found_columns.column_name)
      from found_columns
      join existing on existing.table_name = found_columns.table_name and existing.inserted
     where found_columns.is_required and not found_columns.has_default
       and (
         found_columns.column_name = existing.key_name
         or not exists (
           select from needed
            where needed.table_name = found_columns.table_name
              and needed.column_name = found_columns.column_name
         )
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
      message = format('pgreprise cannot work on the tables of this database: %s differences. Nothing was changed.',
        cardinality(differences)),
      detail = array_to_string(differences, E'\n'),
      hint = 'Change the tables as listed, or rename them and let pgreprise create its own, then migrate again.';
  end if;
end;
$$;
