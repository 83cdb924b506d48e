-- router_types: the composite types that entry points return or take, those that others are made of first.
-- A query: it returns one statement a type.
with recursive used as (
  select
    named.oid,
    0 as depth
  from pg_proc as routine
  cross join lateral unnest(
    coalesce(routine.proallargtypes, routine.proargtypes::oid[]) || routine.prorettype
  ) as mentioned (id)
  inner join pg_type as named on mentioned.id = named.oid
  where routine.pronamespace = 'public'::regnamespace and routine.proowner = 'pgreprise_owner'::regrole
    and named.typnamespace = 'pgreprise'::regnamespace and named.typtype = 'c'
  union
  select
    part.oid,
    used.depth + 1
  from used
  inner join pg_type as whole on used.oid = whole.oid
  inner join pg_attribute as attribute
    on whole.typrelid = attribute.attrelid and attribute.attnum > 0 and not attribute.attisdropped
  inner join pg_type as named on attribute.atttypid = named.oid
  inner join pg_type as part on part.oid in (named.oid, named.typelem)
  where part.typnamespace = 'pgreprise'::regnamespace and part.typtype = 'c'
),

needed as (
  select
    used.oid,
    max(used.depth) as depth
  from used
  group by used.oid
)

select
  format(
    e'create type pgreprise.%I as (\n%s\n);',
    named.typname,
    string_agg(
      format('  %I %s', attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)), e',\n'
      order by attribute.attnum
    )
  ) as statement
from needed
inner join pg_type as named on needed.oid = named.oid
inner join pg_attribute as attribute
  on named.typrelid = attribute.attrelid and attribute.attnum > 0 and not attribute.attisdropped
group by named.typname, needed.depth
order by needed.depth desc, named.typname asc;
