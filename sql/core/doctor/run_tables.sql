-- run_tables: whether the application has both of its own tables of runs, and whether reruns write them, which a
-- migration decides. A query: it returns one row.
select
  pg_catalog.to_regclass('public.report_output_runs') is not null
  and pg_catalog.to_regclass('public.simulation_runs') is not null as exist,
  setting.has_run_tables as are_attached
from pgreprise.setting as setting;
