-- stored_carbon_modules(report_id, module_type_id): the modules of a carbon report as the routines return them,
-- ordered by type. With module_type_id, only the module of that type. Does not check access.
create or replace function pgreprise.stored_carbon_modules(report_id bigint, module_type_id bigint default null)
returns setof pgreprise.carbon_module_row
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select module.id::bigint, module.carbon_report_id::bigint, module.module_type_id::bigint, module.status::bigint,
        pgreprise.as_jsonb(module.stats::json)
      from public.carbon_report_modules as module
     where module.carbon_report_id = stored_carbon_modules.report_id
       and (stored_carbon_modules.module_type_id is null
         or module.module_type_id = stored_carbon_modules.module_type_id)
     order by module.module_type_id;
end;
$$;

comment on function pgreprise.stored_carbon_modules(bigint, bigint) is
'The modules of a carbon report, as the routines return them.';
