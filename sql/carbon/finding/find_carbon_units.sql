-- find_carbon_units(search, after_unit_id, max_rows): the units that the caller may view, by id, with how much they
-- have. At most max_rows of them; the next page begins after the id of the last one. Changes nothing.
-- search: a part of the name or of the institutional id, in capital or small letters.
-- Returns id, institutional_id, name; projects ({"Calculator": 1, ...}, the types that the unit has); reports, how
-- many; last_updated, when the last of them changed, or null.
-- Raises RR016 when max_rows is not between 1 and 1000, RR017.
create or replace function public.find_carbon_units(
  search text default null, after_unit_id bigint default null, max_rows bigint default 100
)
returns table (
  id bigint, institutional_id text, name text, projects jsonb, reports bigint, last_updated timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Which conditions are given differs from call to call, and so does the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  unit_ids bigint[];
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.check_max_rows(find_carbon_units.max_rows);
  unit_ids := pgreprise.viewable_unit_ids();

  return query
    with page as materialized (
      select unit.id::bigint as unit_id, unit.institutional_id::text as institutional_id, unit.name::text as name
        from public.units as unit
       where (unit_ids is null or unit.id = any (unit_ids))
         and (find_carbon_units.after_unit_id is null or unit.id > find_carbon_units.after_unit_id)
         and (find_carbon_units.search is null
           or strpos(lower(unit.name), lower(find_carbon_units.search)) > 0
           or strpos(lower(unit.institutional_id), lower(find_carbon_units.search)) > 0)
       order by unit.id
       limit find_carbon_units.max_rows
    ),

    -- By arrays of the page, so that each table is read once, and by an index where it has one.
    typed as (
      select project.unit_id::bigint as unit_id, project.carbon_report_type::text as report_type, count(*) as projects
        from public.carbon_projects as project
       where project.unit_id = any (array(select page.unit_id from page))
       group by 1, 2
    ),

    counted as (
      select report.unit_id::bigint as unit_id, count(*) as reports, max(report.last_updated)::bigint as last_updated
        from public.carbon_reports as report
       where report.unit_id = any (array(select page.unit_id from page))
       group by 1
    )

    select page.unit_id, page.institutional_id, page.name,
        coalesce((
          select jsonb_object_agg(typed.report_type, typed.projects) from typed where typed.unit_id = page.unit_id
        ), '{}'),
        coalesce(counted.reports, 0), pgreprise.epoch_time(counted.last_updated)
      from page
      left join counted on counted.unit_id = page.unit_id
     order by page.unit_id;
end;
$$;

comment on function public.find_carbon_units(text, bigint, bigint) is
'The units that the caller may view, by id, with their projects and reports counted.';

grant execute on function public.find_carbon_units(text, bigint, bigint) to pgreprise_api, pgreprise_dba;
