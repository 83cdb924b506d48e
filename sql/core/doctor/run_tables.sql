-- run_tables: whether the application has both of its own tables of runs with the columns that go with them, as a
-- migration looks for them (attach_run_tables), and whether reruns write them. A query: it returns one row.
select
  pg_catalog.to_regclass('public.report_output_runs') is not null
  and pg_catalog.to_regclass('public.simulation_runs') is not null
  and (
    select pg_catalog.count(*) = 6
      from pg_catalog.pg_attribute as attribute
     where attribute.attrelid in (
         pg_catalog.to_regclass('public.report_outputs'), pg_catalog.to_regclass('public.simulations')
       )
       and attribute.attname in ('active_run_id', 'latest_successful_run_id', 'report_spec_json',
         'simulation_spec_json')
       and not attribute.attisdropped
  ) as exist,
  setting.has_run_tables as are_attached
from pgreprise.setting as setting;
