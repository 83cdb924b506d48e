-- existing_indexes: every index on a table of the schemas public and pgreprise, and whether it is valid.
-- The doctor looks here for the indexes that the migrations made. A query: it returns one row an index.
select
  table_namespace.nspname || '.' || indexed.relname as full_table_name,
  relation.relname as name,
  index.indisvalid as is_valid
from pg_catalog.pg_index as index
inner join pg_catalog.pg_class as relation on index.indexrelid = relation.oid
inner join pg_catalog.pg_class as indexed on index.indrelid = indexed.oid
inner join pg_catalog.pg_namespace as table_namespace on indexed.relnamespace = table_namespace.oid
where table_namespace.nspname in ('public', 'pgreprise');
