-- get_carbon_report_modules(report_id, carbon_project_type): the modules of a carbon report, ordered by type. The
-- report has a type itself, so carbon_project_type is only checked to be one that exists.
-- Raises RR017, RC005, RC003, RC002.
create or replace function public.get_carbon_report_modules(report_id bigint, carbon_project_type bigint default 0)
returns setof pgreprise.carbon_module_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.carbon_report_type(get_carbon_report_modules.carbon_project_type);
  perform pgreprise.require_carbon_report(get_carbon_report_modules.report_id);

  return query
    select stored.* from pgreprise.stored_carbon_modules(get_carbon_report_modules.report_id) as stored;
end;
$$;

comment on function public.get_carbon_report_modules(bigint, bigint) is
'The modules of a carbon report, ordered by type.';

grant execute on function public.get_carbon_report_modules(bigint, bigint) to pgreprise_api, pgreprise_dba;
