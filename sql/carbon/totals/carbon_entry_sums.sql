-- carbon_entry_sums(report_id, only_module_type_id): the sums of the entries of a carbon report, one row a module,
-- without emissions. fte is null where no entry has any (entry_fte).
create or replace function pgreprise.carbon_entry_sums(report_id bigint, only_module_type_id bigint default null)
returns table (
  module_id bigint, module_type_id bigint, status bigint, entries bigint, fte double precision
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select module.id::bigint, module.module_type_id::bigint, module.status::bigint, entered.entries, entered.fte
      from public.carbon_report_modules as module
     cross join lateral (
       select count(*) as entries,
           sum(pgreprise.entry_fte(entry.data::json)) as fte
         from public.data_entries as entry
        where entry.carbon_report_module_id = module.id
     ) as entered
     where module.carbon_report_id = carbon_entry_sums.report_id
       and (carbon_entry_sums.only_module_type_id is null
         or module.module_type_id = carbon_entry_sums.only_module_type_id);
end;
$$;

comment on function pgreprise.carbon_entry_sums(bigint, bigint) is
'The sums of the entries of a carbon report, by module, without emissions.';
