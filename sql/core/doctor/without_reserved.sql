-- without_reserved: takes the columns that a migration adds out of the setting pgreprise.wanted_tables, so that the
-- check of a migration (core/check_tables) fits tables that are adopted. A query: the doctor does not read its row.
select pg_catalog.set_config('pgreprise.wanted_tables', pg_catalog.jsonb_set(
  wanted.list, '{tables}', (
    select jsonb_agg(listed.item - 'reserved') from jsonb_array_elements(wanted.list -> 'tables') as listed (item)
  )
)::text, true)
from (select current_setting('pgreprise.wanted_tables')::jsonb as list) as wanted;
