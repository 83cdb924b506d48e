-- host_tables: the tables of the host that a domain works on, as the setting pgreprise.wanted_tables lists them, and
-- whether each exists. A query: it returns one row a table.
select
  listed.name,
  pg_catalog.to_regclass('public.' || quote_ident(listed.name)) is not null as exists
from jsonb_to_recordset(current_setting('pgreprise.wanted_tables')::jsonb -> 'tables') as listed (name text)
order by listed.name;
