-- require_carbon_report(report_id, principal_only): refuses a carbon report that does not exist, and a caller who
-- has no access to its unit (see require_unit_access).
-- Raises RC003, RC002.
create or replace function pgreprise.require_carbon_report(report_id bigint, principal_only boolean default false)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  unit_id bigint;
begin
  select report.unit_id into unit_id
    from public.carbon_reports as report
   where report.id = require_carbon_report.report_id;

  if not found then
    perform pgreprise.raise_carbon_report_not_found(jsonb_build_object('carbon_report_id',
      require_carbon_report.report_id));
  end if;
  perform public.require_unit_access(unit_id, require_carbon_report.principal_only);
end;
$$;

comment on function pgreprise.require_carbon_report(bigint, boolean) is
'Refuses a carbon report that does not exist (RC003) or whose unit the caller has no access to (RC002).';
