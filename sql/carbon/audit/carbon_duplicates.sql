-- carbon_duplicates(max_rows): whether a unit can have two projects of a type, or a project two reports of a year, and
-- which do, of the units that the caller may view. Two unique constraints make that impossible, so the rows are read
-- only where one of them is missing or not valid. `pgreprise carbon duplicates` (host/find_duplicates) works before a
-- migration too, and tells the SQL that resolves them. Changes nothing.
-- Returns one row a constraint: table_name, constraint_name, is_enforced, and duplicates, at most max_rows keys:
-- [{"unit_id": 1, "carbon_report_type": "Calculator", "ids": [2, 3]}], with "year" where these are reports. Reports are
-- compared under their unit and type, so those of two projects of one type that have the same year are found, too.
-- Raises RR016 when max_rows is not between 1 and 1000, RR017.
create or replace function public.carbon_duplicates(max_rows bigint default 100)
returns table (table_name text, constraint_name text, is_enforced boolean, duplicates jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  unit_ids      bigint[];
  enforced      text[];
  project_pairs jsonb := jsonb_build_array();
  report_pairs  jsonb := jsonb_build_array();
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.check_max_rows(carbon_duplicates.max_rows);
  unit_ids := pgreprise.viewable_unit_ids();

  enforced := array(
    select entry.conname::text
      from (values
        ('carbon_projects', 'uq_carbon_projects_unit_type', array['carbon_report_type', 'unit_id']),
        ('carbon_reports', 'uq_carbon_reports_project_year', array['carbon_project_id', 'year'])
      ) as wanted(table_name, constraint_name, columns)
      join pg_constraint as entry
        on entry.conrelid = to_regclass(format('public.%I', wanted.table_name))
       and entry.conname = wanted.constraint_name
       and entry.contype = 'u'
      join pg_index as listed on listed.indexrelid = entry.conindid and listed.indisvalid
     where wanted.columns = array(
       select attribute.attname::text
         from pg_attribute as attribute
        where attribute.attrelid = entry.conrelid and attribute.attnum = any (entry.conkey)
        order by attribute.attname
     )
  );

  if cardinality(enforced) < 2 then
    select coalesce(jsonb_agg(jsonb_build_object('unit_id', found.unit_id,
        'carbon_report_type', found.carbon_report_type, 'ids', found.ids)
        order by found.unit_id, found.carbon_report_type), '[]')
      into project_pairs
      from (
        select project.unit_id, project.carbon_report_type, jsonb_agg(project.id order by project.id) as ids
          from public.carbon_projects as project
         where unit_ids is null or project.unit_id = any (unit_ids)
         group by project.unit_id, project.carbon_report_type
        having count(*) > 1
         order by project.unit_id, project.carbon_report_type
         limit carbon_duplicates.max_rows
      ) as found;

    select coalesce(jsonb_agg(jsonb_build_object('unit_id', found.unit_id,
        'carbon_report_type', found.carbon_report_type, 'year', found.year, 'ids', found.ids)
        order by found.unit_id, found.carbon_report_type, found.year), '[]')
      into report_pairs
      from (
        select project.unit_id, project.carbon_report_type, report.year, jsonb_agg(report.id order by report.id) as ids
          from public.carbon_projects as project
          join public.carbon_reports as report on report.carbon_project_id = project.id
         where unit_ids is null or project.unit_id = any (unit_ids)
         group by project.unit_id, project.carbon_report_type, report.year
        having count(*) > 1
         order by project.unit_id, project.carbon_report_type, report.year
         limit carbon_duplicates.max_rows
      ) as found;
  end if;

  return query
    select told.table_name, told.constraint_name, told.constraint_name = any (enforced), told.duplicates
      from (values
        ('carbon_projects', 'uq_carbon_projects_unit_type', project_pairs),
        ('carbon_reports', 'uq_carbon_reports_project_year', report_pairs)
      ) as told(table_name, constraint_name, duplicates)
     order by told.table_name;
end;
$$;

comment on function public.carbon_duplicates(bigint) is
'Whether carbon projects or reports can exist twice, and which do.';

grant execute on function public.carbon_duplicates(bigint) to pgreprise_api, pgreprise_dba;
