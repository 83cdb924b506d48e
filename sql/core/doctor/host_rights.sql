-- host_rights: what pgreprise_owner holds on the host's tables, against what core/grant_tables gives there; the setting
-- pgreprise.wanted_tables lists them. A query: it returns one row for each object, with the rights that are missing or
-- too many. A table that belongs to pgreprise_owner needs no grants.
with role as (
  select 'pgreprise_owner'::regrole::oid as id
),

listed as (
  select
    wanted.*,
    relation.oid as id,
    relation.relowner as owner_id,
    relation.relacl as acl
  from jsonb_to_recordset(current_setting('pgreprise.wanted_tables')::jsonb -> 'tables')
    as wanted (name text, key text, privileges text)
  inner join pg_catalog.pg_class as relation
    on wanted.name = relation.relname and relation.relnamespace = 'public'::regnamespace
  cross join role
  where relation.relowner <> role.id
),

wanted as (
  select
    listed.id,
    privilege.name as privilege
  from listed
  cross join lateral regexp_split_to_table(listed.privileges, ',\s*') as privilege (name)
  union all
  select
    sequence.oid as id,
    'usage' as privilege
  from listed
  -- A key that was dropped is told elsewhere.
  inner join pg_catalog.pg_attribute as attribute on listed.id = attribute.attrelid and listed.key = attribute.attname
  inner join pg_catalog.pg_class as sequence
    on sequence.oid = pg_catalog.pg_get_serial_sequence(
      format('public.%I', listed.name), attribute.attname
    )::regclass
),

held as (
  select
    listed.id,
    lower(entry.privilege_type) as privilege,
    lower(entry.privilege_type) as shown
  from listed
  cross join role
  cross join lateral pg_catalog.aclexplode(listed.acl) as entry
  where entry.grantee = role.id
  union all
  select
    listed.id,
    format('%s of a column', lower(entry.privilege_type)) as privilege,
    format('%s (%I)', lower(entry.privilege_type), attribute.attname) as shown
  from listed
  cross join role
  inner join pg_catalog.pg_attribute as attribute on listed.id = attribute.attrelid
  cross join lateral pg_catalog.aclexplode(attribute.attacl) as entry
  where entry.grantee = role.id
  union all
  select
    sequence.oid as id,
    lower(entry.privilege_type) as privilege,
    lower(entry.privilege_type) as shown
  from wanted
  inner join pg_catalog.pg_class as sequence on wanted.id = sequence.oid and sequence.relkind = 'S'
  cross join role
  cross join lateral pg_catalog.aclexplode(sequence.relacl) as entry
  where entry.grantee = role.id
),

difference as (
  select
    wanted.id,
    wanted.privilege as shown,
    true as is_missing
  from wanted
  where not exists (select from held
where held.id = wanted.id and held.privilege = wanted.privilege)
  union all
  select
    held.id,
    held.shown,
    false as is_missing
  from held
  where not exists (select from wanted
where wanted.id = held.id and wanted.privilege = held.privilege)
)

select
  case relation.relkind when 'S' then 'sequence' else 'table' end as kind,
  format('%I.%I', namespace.nspname, relation.relname) as object,
  difference.is_missing,
  array_agg(difference.shown order by difference.shown) as privileges
from difference
inner join pg_catalog.pg_class as relation on difference.id = relation.oid
inner join pg_catalog.pg_namespace as namespace on relation.relnamespace = namespace.oid
group by relation.relkind, namespace.nspname, relation.relname, difference.is_missing
order by object, difference.is_missing;
