-- bulk_upsert_carbon_reports(reports): create the Calculator reports of many units and years that do not exist
-- yet, with all their modules. reports is an array of {"unit_id", "year", "reference_year", "carbon_project_id"}; the
-- last two are optional. The project of each unit is found or created first. Reports that exist do not change. The
-- access to every unit is checked, and one refusal refuses the whole call. Returns the reports that were created.
-- Raises RR017, RC008 for an element that cannot be used, RC001, RC002.
create or replace function public.bulk_upsert_carbon_reports(reports jsonb)
returns setof pgreprise.carbon_report_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  refused         record;
  unit_ids        bigint[];
  years           bigint[];
  reference_years bigint[];
  named_projects  bigint[];
  project_ids     bigint[];
begin
  perform pgreprise.enter('reports:write');

  if jsonb_typeof(bulk_upsert_carbon_reports.reports) is distinct from 'array' then
    perform pgreprise.raise_invalid_carbon_value('reports must be a JSON array.', jsonb_build_object(),
      'Send [{"unit_id": 1, "year": 2025}].');
  end if;

  select element.position, element.value into refused
    from jsonb_array_elements(bulk_upsert_carbon_reports.reports) with ordinality as element(value, position)
   where jsonb_typeof(element.value) <> 'object'
      or coalesce(element.value ->> 'unit_id', '') !~ '^[0-9]{1,18}$'
      or coalesce(element.value ->> 'year', '') !~ '^[1-9][0-9]{3}$'
      or coalesce(element.value ->> 'reference_year', '1000') !~ '^[1-9][0-9]{3}$'
      or coalesce(element.value ->> 'carbon_project_id', '1') !~ '^[0-9]{1,18}$'
   order by element.position
   limit 1;
  if found then
    perform pgreprise.raise_invalid_carbon_value(
      format('Element %s of the list is not a valid report.', refused.position),
      jsonb_build_object('position', refused.position, 'report', refused.value),
      'Each report needs unit_id and year (four digits). reference_year and carbon_project_id are optional.');
  end if;

  select array_agg(wanted.unit_id), array_agg(wanted.year), array_agg(wanted.reference_year),
      array_agg(wanted.carbon_project_id)
    into unit_ids, years, reference_years, named_projects
    from jsonb_to_recordset(bulk_upsert_carbon_reports.reports)
      as wanted(unit_id bigint, year bigint, reference_year bigint, carbon_project_id bigint);

  perform public.require_unit_access(distinct_unit.id, 'edit')
    from (select distinct wanted.id from unnest(unit_ids) as wanted(id) order by wanted.id) as distinct_unit;

  select array_agg(ensured.carbon_project_id order by wanted.position) into project_ids
    from unnest(unit_ids) with ordinality as wanted(unit_id, position)
    join pgreprise.ensure_carbon_projects(unit_ids, 'Calculator') as ensured on ensured.unit_id = wanted.unit_id;

  select wanted.unit_id, wanted.named into refused
    from unnest(unit_ids, named_projects, project_ids) as wanted(unit_id, named, project_id)
   where wanted.named <> wanted.project_id
   limit 1;
  if found then
    perform pgreprise.raise_invalid_carbon_value(
      format('Carbon project #%s is not the Calculator project of unit #%s.', refused.named, refused.unit_id),
      jsonb_build_object('unit_id', refused.unit_id, 'carbon_project_id', refused.named),
      'Leave out carbon_project_id. Then the Calculator project of the unit is used.');
  end if;

  return query
    select created.*
      from pgreprise.insert_carbon_reports(unit_ids, project_ids, years, reference_years) as created;
end;
$$;

comment on function public.bulk_upsert_carbon_reports(jsonb) is
'Creates those Calculator reports of a list that do not exist yet, and returns the created ones.';

grant execute on function public.bulk_upsert_carbon_reports(jsonb) to pgreprise_api, pgreprise_dba;
