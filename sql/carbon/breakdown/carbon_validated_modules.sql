-- carbon_validated_modules(report_id): the types of the modules of a carbon report that charts show as validated. Of an
-- explore report these are all (counts_validated_only).
create or replace function pgreprise.carbon_validated_modules(report_id bigint)
returns bigint[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select module.module_type_id::bigint
      from public.carbon_reports as report
      left join public.carbon_projects as project on project.id = report.carbon_project_id
      join public.carbon_report_modules as module on module.carbon_report_id = report.id
     where report.id = carbon_validated_modules.report_id
       and (module.status = 2 or not pgreprise.counts_validated_only(project.carbon_report_type::text))
  );
end;
$$;

comment on function pgreprise.carbon_validated_modules(bigint) is
'The types of the modules of a carbon report that charts show as validated.';
