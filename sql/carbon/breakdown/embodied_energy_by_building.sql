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
       select sums.class as name, sum(sums.kg_co2eq) as kg_co2eq
         from pgreprise.carbon_emission_sums(embodied_energy_by_building.report_id, 3,
           class_field => 'building_name') as sums
         join pgreprise.carbon_emission_type as emission_type
           on emission_type.emission_type_id = sums.emission_type_id
        where emission_type.category = 'embodied_energy'
        group by 1
      ) as building
     where building.name <> '' and building.kg_co2eq > 0
  );
end;
$$;

comment on function pgreprise.embodied_energy_by_building(bigint) is
'The embodied energy of a carbon report by the building that entries name.';
