-- require_carbon_report(report_id, action): refuses an id that no carbon report has, and a caller who may not do this
-- in the unit of the report: view or edit (require_unit_access), or set_status of its modules (require_status_access).
-- Raises RC003, RC002.
create or replace function pgreprise.require_carbon_report(report_id bigint, action text default 'view')
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
  if require_carbon_report.action = 'set_status' then
    perform pgreprise.require_status_access(unit_id);
  else
    perform public.require_unit_access(unit_id, require_carbon_report.action);
  end if;
end;
$$;

comment on function pgreprise.require_carbon_report(bigint, text) is
'Refuses an id that no carbon report has (RC003), and a caller without access to the unit of the report (RC002).';
