-- embodied_energy_by_building(report_id): the embodied energy of a carbon report by the building that entries name, as
-- an array [{"building_name", "kg_co2eq", "tonnes_co2eq"}], by name. Entries without a name are left out.
create or replace function pgreprise.embodied_energy_by_building(report_id bigint)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('building_name', building.name, 'kg_co2eq', building.kg_co2eq,
        'tonnes_co2eq', building.kg_co2eq / 1000) order by building.name), '[]')
      from (
       select pgreprise.as_jsonb(entry.data::json) ->> 'building_name' as name, sum(emission.kg_co2eq) as kg_co2eq
         from public.carbon_report_modules as module
         join public.data_entries as entry on entry.carbon_report_module_id = module.id
         join public.data_entry_emissions as emission on emission.data_entry_id = entry.id
         join pgreprise.carbon_emission_type as emission_type
           on emission_type.emission_type_id = emission.emission_type_id
        where module.carbon_report_id = embodied_energy_by_building.report_id and module.module_type_id = 3
          and emission_type.category = 'embodied_energy'
        group by 1
      ) as building
     where building.name <> '' and building.kg_co2eq > 0
  );
end;
$$;

comment on function pgreprise.embodied_energy_by_building(bigint) is
'The embodied energy of a carbon report by the building that entries name.';
