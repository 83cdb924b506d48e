-- carbon_entry_sums(report_id): the sums of the entries of a carbon report, one row a module, without emissions. fte is
-- the sum of the numbers that entries have under that name, and null without any.
create or replace function pgreprise.carbon_entry_sums(report_id bigint)
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
           sum(pgreprise.json_number(pgreprise.as_jsonb(entry.data::json) -> 'fte')) as fte
         from public.data_entries as entry
        where entry.carbon_report_module_id = module.id
     ) as entered
     where module.carbon_report_id = carbon_entry_sums.report_id;
end;
$$;

comment on function pgreprise.carbon_entry_sums(bigint) is
'The sums of the entries of a carbon report, by module, without emissions.';
