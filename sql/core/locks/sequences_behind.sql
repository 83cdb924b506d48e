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
  -- After the greatest of all ids comes none.
  next    numeric;
begin
  for keyed in
    select namespace.nspname::text as schema_name, relation.relname::text as name,
        primary_key.conname::text as key_name, attribute.attname::text as column_name,
        used.sequence_id, sequence.seqincrement as step
      from pg_constraint as primary_key
      join pg_class as relation on relation.oid = primary_key.conrelid
      join pg_namespace as namespace on namespace.oid = relation.relnamespace
      join pg_attribute as attribute
        on attribute.attrelid = relation.oid and attribute.attnum = primary_key.conkey[1]
     cross join lateral pgreprise.id_sequence(relation.oid::regclass, attribute.attname::text) as used(sequence_id)
      join pg_sequence as sequence on sequence.seqrelid = used.sequence_id
     where primary_key.contype = 'p' and cardinality(primary_key.conkey) = 1
       and sequence.seqincrement > 0
       -- On a shard these numbers come from the sequences of the logical shards (pgreprise.shard_sequences_behind).
       and (
         to_regclass('pgreprise.shard_ids_00') is null or namespace.nspname <> 'pgreprise'
         or relation.relname not in ('rerun', 'rerun_batch')
       )
       and namespace.nspname in ('public', 'pgreprise')
       and has_table_privilege('pgreprise_owner', relation.oid, 'select')
       and has_table_privilege('pgreprise_owner', relation.oid, 'insert')
     order by namespace.nspname, relation.relname
  loop
    execute format('select max(%I) from %I.%I', keyed.column_name, keyed.schema_name, keyed.name) into largest;
    -- Who may only take numbers does not see the next one of a sequence that has not given any; an identity gives
    -- numbers to an owner who may not look at it at all. Then only a number given in vain tells.
    next := case when has_sequence_privilege(keyed.sequence_id, 'usage')
      then pg_sequence_last_value(keyed.sequence_id)::numeric + keyed.step end;
    if has_sequence_privilege(keyed.sequence_id, 'select') then
      execute format('select case when is_called then last_value::numeric + $1 else last_value end from %s',
        keyed.sequence_id) into next using keyed.step;
    end if;
    if next - sequences_behind.has_given * keyed.step <= largest
      or (next is null and sequences_behind.has_given > 0)
    then
      return query
        select format('%I.%I', keyed.schema_name, keyed.name), keyed.key_name,
            case when own.next <= 9223372036854775807 then own.next::bigint end, own.largest,
            format('select setval(%L, (select max(%I) from %I.%I));', keyed.sequence_id, keyed.column_name,
              keyed.schema_name, keyed.name);
    end if;
  end loop;

  -- A routine of the reports domain, which has shards.
  if to_regclass('pgreprise.shard_ids_00') is not null then
    return query
      select behind.table_name, behind.constraint_name, behind.next_id, behind.greatest_id, behind.remedy
        from pgreprise.shard_sequences_behind(sequences_behind.has_given) as behind;
  end if;
end;
$$;

comment on function pgreprise.sequences_behind(bigint) is 'The sequences whose next number a row has already.';
