-- carbon_figures(report_id): what the entries of a carbon report add up to, one row a module. Roll-up emissions
-- are left out, since they repeat others; FTE is what the entries of headcount (type 1) say, null elsewhere. The
-- one place that adds up; it reads the rows of that report and no others.
create or replace function pgreprise.carbon_figures(report_id bigint)
returns table (
  module_id bigint, module_type_id bigint, status bigint, entries bigint, kg_co2eq numeric, fte numeric
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A lateral sum is computed for its module, by an index, and never for all modules that there are.
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
     where module.carbon_report_id = carbon_figures.report_id;
end;
$$;

comment on function pgreprise.carbon_figures(bigint) is 'What the entries of a carbon report add up to, by module.';
