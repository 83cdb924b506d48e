-- find_duplicates: lists the rows that violate the constraints uq_carbon_projects_unit_type and
-- uq_carbon_reports_project_year, with SQL that resolves them. Changes nothing. Works without schema pgreprise and
-- without the tables. The migration's check (refuse_duplicates) and `pgreprise carbon duplicates` both run it.
-- A report is compared under the project that is kept, so that reports which collide when projects are merged are
-- found too. Returns one row a key: table_name, key, ids, keep (the id to keep), resolve (the SQL). The oldest project
-- and the report that changed last are kept. Somebody who knows the data should check the SQL before running it.
do $$
declare
  duplicates jsonb := '[]';
  children   text := '';
begin
  if to_regclass('public.carbon_projects') is not null and to_regclass('public.carbon_reports') is not null then
    if to_regclass('public.data_entry_emissions') is not null then
      children := children || 'delete from public.data_entry_emissions where data_entry_id in (select entry.id '
        'from public.data_entries as entry join public.carbon_report_modules as module '
        'on module.id = entry.carbon_report_module_id where module.carbon_report_id in (%1$s)); ';
    end if;
    if to_regclass('public.data_entries') is not null then
      children := children || 'delete from public.data_entries where carbon_report_module_id in (select module.id '
        'from public.carbon_report_modules as module where module.carbon_report_id in (%1$s)); ';
    end if;
    if to_regclass('public.carbon_report_modules') is not null then
      children := children || 'delete from public.carbon_report_modules where carbon_report_id in (%1$s); ';
    end if;

    with projects as (
      select project.id, project.unit_id, project.carbon_report_type,
          min(project.id) over (partition by project.unit_id, project.carbon_report_type) as kept
        from public.carbon_projects as project
    ),

    project_keys as (
      select projects.unit_id, projects.carbon_report_type::text as report_type, projects.kept,
          jsonb_agg(projects.id order by projects.id) as ids,
          string_agg(projects.id::text, ', ' order by projects.id) filter (where projects.id <> projects.kept) as others
        from projects
       group by projects.unit_id, projects.carbon_report_type, projects.kept
      having count(*) > 1
    ),

    reports as (
      select report.id, report.year, projects.kept as project_id,
          first_value(report.id) over (
            partition by projects.kept, report.year order by report.last_updated desc nulls last, report.id desc
          ) as kept
        from public.carbon_reports as report
        join projects on projects.id = report.carbon_project_id
    ),

    report_keys as (
      select reports.project_id, reports.year, reports.kept,
          jsonb_agg(reports.id order by reports.id) as ids,
          string_agg(reports.id::text, ', ' order by reports.id) filter (where reports.id <> reports.kept) as others
        from reports
       group by reports.project_id, reports.year, reports.kept
      having count(*) > 1
    ),

    -- Reports come first. When they are deleted, projects can be merged without two reports of one year.
    keys as (
      select 1 as position, report_keys.project_id as key_1, report_keys.year::text as key_2, jsonb_build_object(
          'table_name', 'carbon_reports',
          'key', format('carbon_project_id %s, year %s', report_keys.project_id, report_keys.year),
          'ids', report_keys.ids,
          'keep', report_keys.kept,
          'resolve', format(children || 'delete from public.carbon_reports where id in (%1$s);', report_keys.others)
        ) as duplicate
        from report_keys
      union all
      select 2, project_keys.unit_id, project_keys.report_type, jsonb_build_object(
          'table_name', 'carbon_projects',
          'key', format('unit_id %s, carbon_report_type %s', project_keys.unit_id, project_keys.report_type),
          'ids', project_keys.ids,
          'keep', project_keys.kept,
          'resolve', format('update public.carbon_reports set carbon_project_id = %s where carbon_project_id in (%s); '
            'delete from public.carbon_projects where id in (%2$s);', project_keys.kept, project_keys.others)
        )
        from project_keys
    )

    select coalesce(jsonb_agg(keys.duplicate order by keys.position, keys.key_1, keys.key_2), '[]')
      into duplicates
      from keys;
  end if;

  -- The select below and refuse_duplicates read this.
  perform set_config('pgreprise.duplicates', duplicates::text, false);
end;
$$;

select
  duplicate.table_name,
  duplicate.key,
  duplicate.ids,
  duplicate.keep,
  duplicate.resolve
from jsonb_to_recordset(current_setting('pgreprise.duplicates')::jsonb)
  as duplicate (table_name text, key text, ids jsonb, keep bigint, resolve text);
