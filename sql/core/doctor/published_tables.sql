-- published_tables: our tables, and those of the host that pgreprise.wanted_tables lists, of which a
-- publication publishes updates or deletions. A table without a replica identity, or with a publication that leaves
-- out a part of it, refuses them. Whether it does, PostgreSQL itself tells when the trials are run: they explain what
-- pgreprise_owner may do, and change nothing.
-- A query: it returns one row a table, with its trials and with the replica identity that it could have.
with published as (
  select
    relation.oid as id,
    format('%I.%I', namespace.nspname, relation.relname) as name,
    relation.relreplident::text as replica_identity,
    array_agg(quote_ident(publication.pubname) order by publication.pubname) as publications,
    bool_or(publication.pubupdate) as has_updates,
    bool_or(publication.pubdelete) as has_deletions
  from pg_catalog.pg_publication as publication
  inner join pg_catalog.pg_publication_tables as listed on publication.pubname = listed.pubname
  inner join pg_catalog.pg_namespace as namespace on listed.schemaname = namespace.nspname
  inner join pg_catalog.pg_class as relation
    on namespace.oid = relation.relnamespace and listed.tablename = relation.relname
  where
    (publication.pubupdate or publication.pubdelete)
    and (
      namespace.nspname = 'pgreprise'
      or namespace.nspname = 'public' and relation.relname in (
        select wanted.name
        from jsonb_to_recordset(current_setting('pgreprise.wanted_tables')::jsonb -> 'tables') as wanted (name text)
      )
    )
  group by relation.oid, namespace.nspname, relation.relname, relation.relreplident
),

first_column as (
  select distinct on (attribute.attrelid)
    attribute.attrelid as table_id,
    attribute.attname as name
  from published
  inner join pg_catalog.pg_attribute as attribute on published.id = attribute.attrelid
  where attribute.attnum > 0 and not attribute.attisdropped
  order by attribute.attrelid, attribute.attnum
),

-- What PostgreSQL takes for a replica identity; the primary key is the best.
usable_key as (
  select distinct on (key.indrelid)
    key.indrelid as table_id,
    case when key.indisprimary then 'default' else format('using index %I', relation.relname) end as identity
  from published
  inner join pg_catalog.pg_index as key on published.id = key.indrelid
  inner join pg_catalog.pg_class as relation on key.indexrelid = relation.oid
  where
    key.indisunique and key.indisvalid and key.indimmediate and key.indpred is null and key.indexprs is null
    and not exists (
      select from pg_catalog.pg_attribute as attribute
      where
        attribute.attrelid = key.indrelid and attribute.attnum = any(key.indkey::smallint[])
        and not attribute.attnotnull
    )
  order by key.indrelid asc, key.indisprimary desc, relation.relname asc
)

select
  published.name as table_name,
  published.publications,
  published.replica_identity,
  coalesce(usable_key.identity, 'full') as best_identity,
  array_remove(array[
    case
      when published.has_updates and pg_catalog.has_table_privilege('pgreprise_owner', published.id, 'update')
        then format('explain update %s set %I = default where false', published.name, first_column.name)
    end,
    case
      when published.has_deletions and pg_catalog.has_table_privilege('pgreprise_owner', published.id, 'delete')
        then format('explain delete from %s where false', published.name)
    end
  ], null) as trials
from published
left join first_column on published.id = first_column.table_id
left join usable_key on published.id = usable_key.table_id
order by published.name;
