-- lock_holders: who holds locks on tables that a migration changes, for a migration that did not get its lock.
-- A query: it returns one row a session, the oldest transaction first, each as a sentence. Sessions of other roles show
-- no more than their number to a role that may not see them.
select
  pg_catalog.format(
    'process %s%s holds a lock on %s%s',
    activity.pid,
    ' of ' || activity.usename,
    string_agg(
      distinct namespace.nspname || '.' || relation.relname, ', '
      order by namespace.nspname || '.' || relation.relname
    ),
    ', in a transaction that began at ' || pg_catalog.to_char(activity.xact_start, 'HH24:MI:SS')
  ) as holder
from pg_catalog.pg_locks as held
inner join pg_catalog.pg_database as here on held.database = here.oid and here.datname = current_database()
inner join pg_catalog.pg_class as relation on held.relation = relation.oid and relation.relkind = 'r'
inner join pg_catalog.pg_namespace as namespace on relation.relnamespace = namespace.oid
inner join pg_catalog.pg_stat_activity as activity on held.pid = activity.pid
where
  held.granted
  and held.pid <> pg_catalog.pg_backend_pid()
  and (
    namespace.nspname = 'pgreprise'
    or namespace.nspname = 'public' and relation.relname in (
      'simulations', 'report_outputs', 'reform_impact', 'report_output_runs', 'simulation_runs', 'units',
      'carbon_projects', 'carbon_reports', 'carbon_report_modules', 'data_entries', 'data_entry_emissions'
    )
  )
group by activity.pid, activity.usename, activity.xact_start
order by activity.xact_start, activity.pid;
