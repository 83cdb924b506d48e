-- require_unit_access(unit_id, action): refuses a caller who may not see (view) or create and change (edit) the reports
-- of a unit. The table carbon_role_right says who may.
-- Raises RC001, for every caller, when the unit does not exist; RC002 for a caller without access.
create or replace function public.require_unit_access(unit_id bigint, action text default 'view')
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if pgreprise.carbon_access(require_unit_access.unit_id, 'reports', require_unit_access.action) is null then
    raise exception using
      errcode = 'RC002',
      message = format('The caller has no access to unit #%s.', require_unit_access.unit_id),
      detail = jsonb_build_object('unit_id', require_unit_access.unit_id),
      hint = 'The claim "roles" needs a role that is global, or a role on the institutional_id of this unit.';
  end if;
end;
$$;

comment on function public.require_unit_access(bigint, text) is
'Refuses a caller without access to the reports of a unit (RC002), and an id that no unit has (RC001).';

grant execute on function public.require_unit_access(bigint, text) to pgreprise_api, pgreprise_dba;
