-- answered_routines(): the routines that a shard answers for a router: the entry points but for the procedures that
-- commit, and what of schema pgreprise a router needs. For each,
-- its arguments (as SQL, and their types), the columns of its answer, and how it is called. arguments are those in the
-- order of the call, without the result of a procedure. A router, and install_shard_functions, are made from this.
create or replace function pgreprise.answered_routines()
returns table (
  routine_id oid,
  schema_name text,
  name text,
  kind text,
  volatility text,
  argument_names text[],
  argument_types text[],
  column_names text[],
  column_types text[],
  is_void boolean
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select routine.oid, routine.pronamespace::regnamespace::text, routine.proname::text, routine.prokind::text,
        routine.provolatile::text,
        array(
          select routine.proargnames[argument.position]
            from generate_subscripts(coalesce(routine.proallargtypes, routine.proargtypes::oid[]), 1)
              as subscript(subscript)
           cross join lateral (select subscript.subscript
             + case when routine.proallargtypes is null then 1 else 0 end) as argument(position)
           where coalesce(routine.proargmodes[argument.position], 'i') = 'i'
           order by argument.position
        ),
        array(select format_type(typed.type_id, null) from unnest(routine.proargtypes) with ordinality
          as typed(type_id, position)
          where routine.prokind = 'f' or coalesce(routine.proargmodes[typed.position], 'i') = 'i'
          order by typed.position),
        answer.names, answer.types, routine.prorettype = 'void'::regtype and routine.prokind = 'f'
      from pg_proc as routine
     cross join lateral (
       select array_agg(listed.name order by listed.position), array_agg(listed.type order by listed.position)
         from (
           select routine.proargnames[shown.position] as name, format_type(shown.type_id, null) as type, shown.position
             from unnest(routine.proallargtypes) with ordinality as shown(type_id, position)
            where routine.proargmodes[shown.position] in ('o', 't', 'b')
           union all
           select attribute.attname::text, format_type(attribute.atttypid, null), attribute.attnum
             from pg_type as type
             join pg_attribute as attribute on attribute.attrelid = type.typrelid
            where type.oid = routine.prorettype and type.typrelid <> 0
              and attribute.attnum > 0 and not attribute.attisdropped
           union all
           select 'answer', format_type(routine.prorettype, null), 1
             from pg_type as type
            where type.oid = routine.prorettype and type.typrelid = 0
              and routine.proallargtypes is null and routine.prorettype <> 'void'::regtype
         ) as listed(name, type, position)
     ) as answer(names, types)
     where (routine.pronamespace = 'public'::regnamespace
         or (routine.pronamespace = 'pgreprise'::regnamespace and routine.proname in ('status', 'new_batch_id')))
       and routine.proowner = 'pgreprise_owner'::regrole
       and routine.prokind in ('f', 'p')
       -- A procedure that commits is neither security definer nor has it settings.
       and (routine.prokind = 'f' or routine.prosecdef)
     order by routine.proname, routine.oid;
end;
$$;

comment on function pgreprise.answered_routines() is 'The entry points that a shard answers for a router.';
