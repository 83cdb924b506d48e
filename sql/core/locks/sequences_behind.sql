-- sequences_behind(has_given): the sequences of our tables, and of the host's tables into which we insert, whose next
-- number is not greater than every id: table, primary key, next number, greatest id, and the statement to type. After a
-- restore of rows without their sequences there are some. raise_sequence_behind() and the doctor ask here.
-- has_given is how many numbers each has given in vain since.
create or replace function pgreprise.sequences_behind(has_given bigint default 0)
returns table (
  table_name text, constraint_name text, next_id bigint, greatest_id bigint, remedy text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  keyed   record;
  largest bigint;
begin
  for keyed in
    select namespace.nspname::text as schema_name, relation.relname::text as name,
        primary_key.conname::text as key_name, attribute.attname::text as column_name, used.sequence_name
      from pg_constraint as primary_key
      join pg_class as relation on relation.oid = primary_key.conrelid
      join pg_namespace as namespace on namespace.oid = relation.relnamespace
      join pg_attribute as attribute
        on attribute.attrelid = relation.oid and attribute.attnum = primary_key.conkey[1]
     cross join lateral (
       select pg_get_serial_sequence(
         format('%I.%I', namespace.nspname, relation.relname), attribute.attname
       ) as sequence_name
     ) as used
     where primary_key.contype = 'p' and cardinality(primary_key.conkey) = 1
       and used.sequence_name is not null
       and namespace.nspname in ('public', 'pgreprise')
       and has_table_privilege('pgreprise_owner', relation.oid, 'select')
       and has_table_privilege('pgreprise_owner', relation.oid, 'insert')
       -- An identity gives numbers to an owner who may not look at it. Then only a number given in vain tells.
       and (sequences_behind.has_given > 0 or has_sequence_privilege(used.sequence_name::regclass, 'usage'))
     order by namespace.nspname, relation.relname
  loop
    execute format('select max(%I) from %I.%I', keyed.column_name, keyed.schema_name, keyed.name) into largest;
    return query
      select format('%I.%I', keyed.schema_name, keyed.name), keyed.key_name, given.next_id, own.largest,
          format('select setval(%L, (select max(%I) from %I.%I));', keyed.sequence_name, keyed.column_name,
            keyed.schema_name, keyed.name)
        from (
          select case when has_sequence_privilege(keyed.sequence_name::regclass, 'usage') then
              coalesce(pg_sequence_last_value(keyed.sequence_name::regclass) + sequence.seqincrement,
                sequence.seqstart)
            end as next_id, sequence.seqincrement as step
            from pg_sequence as sequence
           where sequence.seqrelid = keyed.sequence_name::regclass
             and sequence.seqincrement > 0
        ) as given
       where given.next_id is null or given.next_id - sequences_behind.has_given * given.step <= own.largest;
  end loop;
end;
$$;

comment on function pgreprise.sequences_behind(bigint) is 'The sequences whose next number a row has already.';
