-- carbon_module_sums(report_id): the sums of the entries of a carbon report, one row a module. kg_co2eq is null where
-- no entry has emissions. fte is the sum of the numbers that entries have under that name, and null without any.
create or replace function pgreprise.carbon_module_sums(report_id bigint)
returns table (
  module_id bigint, module_type_id bigint, status bigint, entries bigint, kg_co2eq double precision,
  fte double precision
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select module.id::bigint, module.module_type_id::bigint, module.status::bigint, entered.entries, emitted.kg_co2eq,
        entered.fte
      from public.carbon_report_modules as module
     cross join lateral (
       select count(*) as entries,
           sum((entry.data::json ->> 'fte')::double precision)
             filter (where json_typeof(entry.data::json -> 'fte') = 'number') as fte
         from public.data_entries as entry
        where entry.carbon_report_module_id = module.id
     ) as entered
      left join (
       select sums.module_type_id, sum(sums.kg_co2eq) as kg_co2eq
         from pgreprise.carbon_emission_sums(carbon_module_sums.report_id) as sums
        group by sums.module_type_id
      ) as emitted on emitted.module_type_id = module.module_type_id
     where module.carbon_report_id = carbon_module_sums.report_id;
end;
$$;

comment on function pgreprise.carbon_module_sums(bigint) is 'The sums of the entries of a carbon report, by module.';
