-- own_rights: what pgreprise_owner, with whose rights the routines run, holds on our tables and sequences, against
-- what the files grant. The doctor has made the latter in the temporary schema (see table_differences).
-- A query: it returns one row for each object, with the rights that are missing or too many.
with role as (
  select 'pgreprise_owner'::regrole::oid as id
),

object as (
  select
    relation.oid as id,
    relation.relnamespace = pg_catalog.pg_my_temp_schema() as is_wanted,
    relation.relname as name,
    case relation.relkind when 'S' then 'sequence' else 'table' end as kind,
    relation.relacl as acl
  from pg_catalog.pg_class as relation
  cross join role
  where
    relation.relkind in ('r', 'S')
    and relation.relnamespace in (pg_catalog.pg_my_temp_schema(), 'pgreprise'::regnamespace)
    and relation.relname not like 'public.%'
    -- Whatever he owns he may use; that it is his is told elsewhere.
    and relation.relowner <> role.id
),

held as (
  select
    object.is_wanted,
    object.name,
    lower(entry.privilege_type) as privilege
  from object
  cross join role
  cross join lateral pg_catalog.aclexplode(object.acl) as entry
  where entry.grantee = role.id
),

on_column as (
  select
    object.name,
    format('%s (%s)', lower(entry.privilege_type), quote_ident(attribute.attname)) as privilege
  from object
  cross join role
  inner join pg_catalog.pg_attribute as attribute on object.id = attribute.attrelid
  cross join lateral pg_catalog.aclexplode(attribute.attacl) as entry
  where not object.is_wanted and entry.grantee = role.id
),

difference as (
  select
    wanted.name,
    wanted.privilege,
    true as is_missing
  from held as wanted
  where
    wanted.is_wanted
    and not exists (
      select from held
where not held.is_wanted and held.name = wanted.name and held.privilege = wanted.privilege
    )
  union all
  select
    found.name,
    found.privilege,
    false as is_missing
  from held as found
  where
    not found.is_wanted
    and not exists (
      select from held
where held.is_wanted and held.name = found.name and held.privilege = found.privilege
    )
  union all
  select
    on_column.name,
    on_column.privilege,
    false as is_missing
  from on_column
)

select
  object.kind,
  format('pgreprise.%I', object.name) as object,
  difference.is_missing,
  array_agg(difference.privilege order by difference.privilege) as privileges
from difference
inner join object on difference.name = object.name and not object.is_wanted
where exists (select from object as wanted
where wanted.is_wanted and wanted.name = object.name)
group by object.kind, object.name, difference.is_missing
order by object, difference.is_missing;
