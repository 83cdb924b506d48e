-- lock_holders: who holds locks on tables that a migration changes, for a migration that did not get its lock.
-- A query: it returns one row a session, the oldest transaction first, each as a sentence. Sessions of other roles show
-- no more than their number to a role that may not see them.
select format('process %s%s holds a lock on %s%s', activity.pid, ' of ' || activity.usename,
    string_agg(distinct held.relation::regclass::text, ', ' order by held.relation::regclass::text),
    ', in a transaction that began at ' || to_char(activity.xact_start, 'HH24:MI:SS')) as holder
  from pg_catalog.pg_locks as held
  join pg_catalog.pg_class as relation on relation.oid = held.relation and relation.relkind = 'r'
  join pg_catalog.pg_stat_activity as activity on activity.pid = held.pid
 where held.granted and held.pid <> pg_catalog.pg_backend_pid()
   and held.database = (select oid from pg_catalog.pg_database where datname = current_database())
   and (
     relation.relnamespace = to_regnamespace('pgreprise')
     or (relation.relnamespace = to_regnamespace('public') and relation.relname in (
       'simulations', 'report_outputs', 'reform_impact', 'report_output_runs', 'simulation_runs', 'units',
       'carbon_projects', 'carbon_reports', 'carbon_report_modules', 'data_entries', 'data_entry_emissions'
     ))
   )
 group by activity.pid, activity.usename, activity.xact_start
 order by activity.xact_start, activity.pid;
