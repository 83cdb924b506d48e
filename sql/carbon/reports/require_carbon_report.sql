-- require_carbon_report(report_id, principal_only): refuses an id that no carbon report has, and a caller without
-- access to the unit of the report (see require_unit_access).
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
    perform pgreprise.raise_carbon_not_found(jsonb_build_object('carbon_report_id',
      require_carbon_report.report_id));
  end if;
  perform public.require_unit_access(unit_id, require_carbon_report.principal_only);
end;
$$;

comment on function pgreprise.require_carbon_report(bigint, boolean) is
'Refuses an id that no carbon report has (RC003), and a caller without access to the unit of the report (RC002).';
