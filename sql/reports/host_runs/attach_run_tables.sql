-- attach_run_tables: decides, at each migration, whether reruns also write the application's own tables of runs, and
-- keeps the answer in pgreprise.setting, so that no rerun has to look into the catalog. They do where both tables and
-- the columns of report_outputs and simulations that go with them exist. The rights come from core/grant_tables.
update pgreprise.setting as setting
   set has_run_tables = wanted.is_complete
  from (
    select to_regclass('public.report_output_runs') is not null
        and to_regclass('public.simulation_runs') is not null
        and count(*) = 6 as is_complete
      from pg_catalog.pg_attribute as attribute
     where attribute.attrelid in ('public.report_outputs'::regclass, 'public.simulations'::regclass)
       and attribute.attname in ('active_run_id', 'latest_successful_run_id', 'report_spec_json',
         'simulation_spec_json')
       and not attribute.attisdropped
  ) as wanted
 where setting.has_run_tables <> wanted.is_complete;
