-- set_carbon_module_status(report_id, module_type_id, status, carbon_project_type, as_of): set the status of a module:
-- 0 not started, 1 in progress, 2 validated. Only who has the right module_status may do this (require_status_access).
-- Updates the report's completion_progress, overall_status and last_updated. Returns the module.
-- The report has a type itself, so carbon_project_type is only checked to be one that exists.
-- Raises RR017, RC005, RC003 for a report or module that does not exist, RC002, RC006 for an unknown status or type,
-- RC017.
create or replace function public.set_carbon_module_status(
  report_id bigint,
  module_type_id bigint,
  status bigint,
  carbon_project_type bigint default 0,
  as_of timestamptz default now()
)
returns setof pgreprise.carbon_module_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  refused text;
begin
  perform pgreprise.enter('reports:write');
  perform pgreprise.carbon_report_type(set_carbon_module_status.carbon_project_type);
  perform pgreprise.require_carbon_report(set_carbon_module_status.report_id, 'set_status');

  refused := case
    when set_carbon_module_status.status is null or set_carbon_module_status.status not between 0 and 2
      then format('%s is not a status. A status is 0 (not started), 1 (in progress) or 2 (validated).',
        coalesce(set_carbon_module_status.status::text, 'null'))
    when not exists (
      select from pgreprise.carbon_module_type as module_type
       where module_type.module_type_id = set_carbon_module_status.module_type_id
    ) then format('There is no module type %s.', coalesce(set_carbon_module_status.module_type_id::text, 'null'))
  end;
  if refused is not null then
    raise exception using
      errcode = 'RC006',
      message = refused,
      detail = jsonb_build_object('module_type_id', set_carbon_module_status.module_type_id,
        'status', set_carbon_module_status.status),
      hint = 'Use a module type from 1 to 8 and a status from 0 to 2.';
  end if;

  if not pgreprise.lock_module_of_report(set_carbon_module_status.report_id,
    set_carbon_module_status.module_type_id)
  then
    perform pgreprise.raise_carbon_not_found(jsonb_build_object(
      'carbon_report_id', set_carbon_module_status.report_id,
      'module_type_id', set_carbon_module_status.module_type_id), 'Module');
  end if;

  return query
    select changed.*
      from pgreprise.record_module_change(set_carbon_module_status.report_id, set_carbon_module_status.module_type_id,
        set_carbon_module_status.as_of, set_carbon_module_status.status) as changed;
end;
$$;

comment on function public.set_carbon_module_status(bigint, bigint, bigint, bigint, timestamptz) is
'Sets the status of a module of a carbon report, and updates the progress of the report.';

grant execute on function public.set_carbon_module_status(bigint, bigint, bigint, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
