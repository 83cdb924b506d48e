-- require_status_access(unit_id): refuses a caller who may not set the status of the modules of a unit.
-- Raises RC001, for every caller, when the unit does not exist; RC002 for a caller without the right.
create or replace function pgreprise.require_status_access(unit_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if pgreprise.carbon_access(require_status_access.unit_id, 'module_status', 'edit') is null then
    perform pgreprise.raise_permission_denied('module.status', 'edit',
      'The principal of the unit sets it. The table pgreprise.carbon_role_right says which roles have this right.');
  end if;
end;
$$;

comment on function pgreprise.require_status_access(bigint) is
'Refuses a caller who may not set the status of a module (RC002).';
