-- find_carbon_reports(unit_id, carbon_project_type, year, after_report_id, max_rows): the carbon reports that meet
-- every condition that is given, of the units that the caller may view, by id. At most max_rows of them; the next page
-- begins after the id of the last one. Changes nothing.
-- totals is what get_validated_totals answers, computed for the reports of the page from their entries;
-- validated_modules is how many modules have the status 2. A report without a project has no type.
-- Raises RR016 when max_rows is not between 1 and 1000, RR017, RC005 no such type, RC001 no such unit, RC002 when
-- the caller may not view the unit that is given.
create or replace function public.find_carbon_reports(
  unit_id bigint default null,
  carbon_project_type bigint default null,
  year bigint default null,
  after_report_id bigint default null,
  max_rows bigint default 100
)
returns setof pgreprise.listed_carbon_report_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- Which conditions are given differs from call to call, and so does the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
  report_type text;
  unit_ids    bigint[];
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.check_max_rows(find_carbon_reports.max_rows);
  if find_carbon_reports.carbon_project_type is not null then
    report_type := pgreprise.carbon_report_type(find_carbon_reports.carbon_project_type);
  end if;
  unit_ids := pgreprise.viewable_unit_ids(find_carbon_reports.unit_id);

  return query
    with page as materialized (
      select report.id::bigint as id
        from public.carbon_reports as report
       where (unit_ids is null or report.unit_id = any (unit_ids))
         and (find_carbon_reports.year is null or report.year = find_carbon_reports.year)
         and (find_carbon_reports.after_report_id is null or report.id > find_carbon_reports.after_report_id)
         and (report_type is null or exists (
           select from public.carbon_projects as project
            where project.id = report.carbon_project_id
              and project.carbon_report_type = report_type::public.carbon_report_type_enum
         ))
       order by report.id
       limit find_carbon_reports.max_rows
    )

    select report.id::bigint, report.unit_id::bigint, unit.institutional_id::text, unit.name::text,
        report.carbon_project_id::bigint, pgreprise.carbon_project_type_number(project.carbon_report_type::text),
        project.carbon_report_type::text, report.year::bigint, report.reference_year::bigint,
        report.overall_status::bigint, report.completion_progress::text, pgreprise.epoch_time(report.last_updated),
        (
          select count(*)
            from public.carbon_report_modules as module
           where module.carbon_report_id = report.id and module.status = 2
        ),
        pgreprise.carbon_totals(report.id, pgreprise.counts_validated_only(project.carbon_report_type::text))
      from public.carbon_reports as report
      left join public.units as unit on unit.id = report.unit_id
      left join public.carbon_projects as project on project.id = report.carbon_project_id
     -- An array, so that they are read by their key.
     where report.id = any (array(select page.id from page))
     order by report.id;
end;
$$;

comment on function public.find_carbon_reports(bigint, bigint, bigint, bigint, bigint) is
'The carbon reports that meet conditions, by id, with their totals; select * from find_carbon_reports(year => 2025).';

grant execute on function public.find_carbon_reports(bigint, bigint, bigint, bigint, bigint)
to pgreprise_api, pgreprise_dba;
