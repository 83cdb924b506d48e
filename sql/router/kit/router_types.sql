-- router_types: the composite types that entry points return or take, those that others are made of first.
-- A query: it returns one statement a type.
with recursive used as (
  select type.oid, 0 as depth
    from pg_proc as routine
   cross join lateral unnest(coalesce(routine.proallargtypes, routine.proargtypes::oid []) || routine.prorettype) as named (id)
    join pg_type as type on type.oid = named.id
   where routine.pronamespace = 'public'::regnamespace and routine.proowner = 'pgreprise_owner'::regrole
     and type.typnamespace = 'pgreprise'::regnamespace and type.typtype = 'c'
  union
  select type.oid, used.depth + 1
    from used
    join pg_type as whole on whole.oid = used.oid
    join pg_attribute as attribute on attribute.attrelid = whole.typrelid and attribute.attnum > 0
     and not attribute.attisdropped
    join pg_type as named on named.oid = attribute.atttypid
    join pg_type as type on type.oid in (named.oid, named.typelem)
   where type.typnamespace = 'pgreprise'::regnamespace and type.typtype = 'c'
)

select
  format(
    e'create type pgreprise.%I as (\n%s\n);',
    type.typname,
    string_agg(
      format('  %I %s', attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)), e',\n'
      order by attribute.attnum
    )
  ) as statement
from (
  select used.oid, max(used.depth) as depth from used group by used.oid
) as needed
join pg_type as type on type.oid = needed.oid
join pg_attribute as attribute on attribute.attrelid = type.typrelid and attribute.attnum > 0
 and not attribute.attisdropped
group by type.oid, type.typname, needed.depth
order by needed.depth desc, type.typname;
