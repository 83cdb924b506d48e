-- published_tables: the tables of schema pgreprise, and those of the host that the setting pgreprise.wanted_tables lists,
-- that a publication publishes updates or deletions of. A table without a replica identity, or with a publication that
-- leaves out a part of it, refuses them. Whether it does, PostgreSQL itself tells, when the trials are run: they explain
-- what pgreprise_owner may do, and change nothing.
-- A query: it returns one row a table, with its trials and with the replica identity that it could have.
select
  format('%I.%I', namespace.nspname, relation.relname) as table_name,
  array_agg(distinct publication.pubname::text order by publication.pubname::text) as publications,
  array_remove(array[
    case
      when bool_or(publication.pubupdate) and pg_catalog.has_table_privilege('pgreprise_owner', relation.oid, 'update')
        then (
          select format('explain update %I.%I set %I = default where false', namespace.nspname, relation.relname,
              attribute.attname)
          from pg_catalog.pg_attribute as attribute
          where attribute.attrelid = relation.oid and attribute.attnum > 0 and not attribute.attisdropped
          order by attribute.attnum
          limit 1
        )
    end,
    case
      when bool_or(publication.pubdelete) and pg_catalog.has_table_privilege('pgreprise_owner', relation.oid, 'delete')
        then format('explain delete from %I.%I where false', namespace.nspname, relation.relname)
    end
  ], null) as trials,
  relation.relreplident::text as replica_identity,
  identity.definition as best_identity
from pg_catalog.pg_publication as publication
inner join pg_catalog.pg_publication_tables as published on publication.pubname = published.pubname
inner join pg_catalog.pg_namespace as namespace on published.schemaname = namespace.nspname
inner join pg_catalog.pg_class as relation
  on namespace.oid = relation.relnamespace and published.tablename = relation.relname
cross join lateral (
  select
    coalesce((
      select case when key.indisprimary then 'default' else 'using index ' || quote_ident(index.relname) end
      from pg_catalog.pg_index as key
      inner join pg_catalog.pg_class as index on key.indexrelid = index.oid
      where
        key.indrelid = relation.oid and key.indisunique and key.indisvalid and key.indimmediate
        and key.indpred is null and key.indexprs is null
        and not exists (
          select from pg_catalog.pg_attribute as attribute
          where
            attribute.attrelid = relation.oid and attribute.attnum = any (key.indkey::smallint [])
            and not attribute.attnotnull
        )
      order by key.indisprimary desc, index.relname
      limit 1
    ), 'full') as definition
) as identity
where
  (publication.pubupdate or publication.pubdelete)
  and (
    namespace.nspname = 'pgreprise'
    or namespace.nspname = 'public' and relation.relname in (
      select listed.name
      from jsonb_to_recordset(current_setting('pgreprise.wanted_tables')::jsonb -> 'tables') as listed (name text)
    )
  )
group by namespace.nspname, relation.oid, relation.relname, relation.relreplident, identity.definition
order by table_name;
