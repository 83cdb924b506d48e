-- carbon_module_sums(report_id): the sums of the entries of a carbon report, one row a module. Roll-up emissions are
-- left out, because they are sums of others. fte is summed for headcount (type 1) and null for other modules. All
-- sums come from here. Only rows of this report are read.
create or replace function pgreprise.carbon_module_sums(report_id bigint)
returns table (
  module_id bigint, module_type_id bigint, status bigint, entries bigint, kg_co2eq numeric, fte numeric
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Lateral, so that the sum is computed only for the modules of this report, by an index.
  return query
    select module.id::bigint, module.module_type_id::bigint, module.status::bigint, total.entries,
        coalesce(total.kg_co2eq, 0), case module.module_type_id when 1 then coalesce(total.fte, 0) end
      from public.carbon_report_modules as module
     cross join lateral (
       select count(*) as entries,
           sum(emitted.kg_co2eq) as kg_co2eq,
           sum((entry.data::json ->> 'fte')::numeric)
             filter (where json_typeof(entry.data::json -> 'fte') = 'number') as fte
         from public.data_entries as entry
        cross join lateral (
          select sum(emission.kg_co2eq::numeric) filter (where not emission.is_rollup) as kg_co2eq
            from public.data_entry_emissions as emission
           where emission.data_entry_id = entry.id
        ) as emitted
        where entry.carbon_report_module_id = module.id
     ) as total
     where module.carbon_report_id = carbon_module_sums.report_id;
end;
$$;

comment on function pgreprise.carbon_module_sums(bigint) is 'The sums of the entries of a carbon report, by module.';
