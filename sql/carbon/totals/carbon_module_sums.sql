-- carbon_module_sums(report_id): the sums of the entries of a carbon report and of their emissions, one row a module
-- (see carbon_entry_sums). kg_co2eq is null where no entry has emissions.
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
    select entered.module_id, entered.module_type_id, entered.status, entered.entries, emitted.kg_co2eq, entered.fte
      from pgreprise.carbon_entry_sums(carbon_module_sums.report_id) as entered
      left join (
       select sums.module_type_id, sum(sums.kg_co2eq) as kg_co2eq
         from pgreprise.carbon_emission_sums(carbon_module_sums.report_id) as sums
        group by sums.module_type_id
      ) as emitted on emitted.module_type_id = entered.module_type_id;
end;
$$;

comment on function pgreprise.carbon_module_sums(bigint) is 'The sums of the entries of a carbon report, by module.';
