-- id_sequence(relation, column_name): the sequence from which a column takes its numbers, or null: its own one, or that
-- of its default, which may be no part of the table. sequences_behind() and an import ask here.
create or replace function pgreprise.id_sequence(relation regclass, column_name text)
returns regclass
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(
    pg_get_serial_sequence(id_sequence.relation::text, id_sequence.column_name)::regclass,
    (
      select min(used.refobjid)::regclass
        from pg_depend as used
       where used.classid = 'pg_attrdef'::regclass
         and used.objid in (
           select value.oid
             from pg_attrdef as value
            where value.adrelid = id_sequence.relation
              and value.adnum = (
                select attribute.attnum
                  from pg_attribute as attribute
                 where attribute.attrelid = id_sequence.relation and attribute.attname = id_sequence.column_name
              )
         )
         and used.refclassid = 'pg_class'::regclass
         and used.refobjid in (select sequence.seqrelid from pg_sequence as sequence)
    )
  );
end;

comment on function pgreprise.id_sequence(regclass, text) is 'The sequence from which a column takes its numbers.';
