-- carbon_emission_type: the types of emissions, a tree. These are facts of the carbon calculator
-- (EPFL-ENAC/co2-calculator, July 2026). Names are paths: a type belongs under the type whose name is the part before
-- the last '__'. scope and category are null for types that only sum others. it_category says which part of the IT
-- figures a type counts in; the calculator counts research_facilities there beside its own parts, and so does
-- it_total_kg here. unit is that of additional_value.
create table pgreprise.carbon_emission_type (
  emission_type_id integer not null,
  name text not null,
  parent_id integer,
  is_leaf boolean not null,
  module_type_id integer not null,
  scope integer,
  category text,
  it_category text,
  unit text,
  constraint carbon_emission_type_pkey primary key (emission_type_id),
  constraint carbon_emission_type_name unique (name),
  constraint carbon_emission_type_module foreign key (module_type_id)
  references pgreprise.carbon_module_type (module_type_id),
  constraint carbon_emission_type_category foreign key (category)
  references pgreprise.carbon_emission_category (category)
);

comment on table pgreprise.carbon_emission_type is 'The types of emissions of the carbon calculator, a tree.';

with listed (emission_type_id, name, scope, category, it_category) as (
  values
  (10000, 'food', 3, 'food', null),
  (10001, 'food__vegetarian', 3, 'food', null),
  (10002, 'food__non_vegetarian', 3, 'food', null),
  (20000, 'waste', 3, 'waste', null),
  (20001, 'waste__incineration', 3, 'waste', null),
  (20002, 'waste__composting', 3, 'waste', null),
  (20003, 'waste__biogas', 3, 'waste', null),
  (2000301, 'waste__biogas__organic_waste_food_leftovers', 3, 'waste', null),
  (2000302, 'waste__biogas__cooking_vegetable_oil', 3, 'waste', null),
  (20004, 'waste__recycling', 3, 'waste', null),
  (2000401, 'waste__recycling__paper', 3, 'waste', null),
  (2000402, 'waste__recycling__cardboard', 3, 'waste', null),
  (2000403, 'waste__recycling__plastics', 3, 'waste', null),
  (2000404, 'waste__recycling__glass', 3, 'waste', null),
  (2000405, 'waste__recycling__ferrous_metals', 3, 'waste', null),
  (2000406, 'waste__recycling__non_ferrous_metals', 3, 'waste', null),
  (2000407, 'waste__recycling__electronics', 3, 'waste', null),
  (2000408, 'waste__recycling__wood', 3, 'waste', null),
  (2000409, 'waste__recycling__pet', 3, 'waste', null),
  (2000410, 'waste__recycling__aluminum', 3, 'waste', null),
  (2000411, 'waste__recycling__textile', 3, 'waste', null),
  (2000412, 'waste__recycling__toner_and_ink_cartridges', 3, 'waste', null),
  (2000413, 'waste__recycling__inert_waste', 3, 'waste', null),
  (30000, 'commuting', 3, 'commuting', null),
  (30001, 'commuting__walking', 3, 'commuting', null),
  (30002, 'commuting__cycling', 3, 'commuting', null),
  (30003, 'commuting__powered_two_wheeler', 3, 'commuting', null),
  (30004, 'commuting__public_transport', 3, 'commuting', null),
  (30005, 'commuting__car', 3, 'commuting', null),
  (40000, 'headcount', null, null, null),
  (50000, 'professional_travel', null, null, null),
  (50100, 'professional_travel__train', null, null, null),
  (50101, 'professional_travel__train__class_1', 3, 'professional_travel', null),
  (50102, 'professional_travel__train__class_2', 3, 'professional_travel', null),
  (50200, 'professional_travel__plane', null, null, null),
  (50201, 'professional_travel__plane__first', 3, 'professional_travel', null),
  (50202, 'professional_travel__plane__business', 3, 'professional_travel', null),
  (50203, 'professional_travel__plane__eco', 3, 'professional_travel', null),
  (60000, 'buildings', null, null, null),
  (60100, 'buildings__rooms', null, null, null),
  (60101, 'buildings__rooms__lighting', 2, 'buildings_room', null),
  (6010101, 'buildings__rooms__lighting__office', 2, 'buildings_room', null),
  (6010102, 'buildings__rooms__lighting__laboratories', 2, 'buildings_room', null),
  (6010103, 'buildings__rooms__lighting__archives', 2, 'buildings_room', null),
  (6010104, 'buildings__rooms__lighting__libraries', 2, 'buildings_room', null),
  (6010105, 'buildings__rooms__lighting__auditoriums', 2, 'buildings_room', null),
  (6010106, 'buildings__rooms__lighting__miscellaneous', 2, 'buildings_room', null),
  (60102, 'buildings__rooms__cooling', 2, 'buildings_room', null),
  (6010201, 'buildings__rooms__cooling__office', 2, 'buildings_room', null),
  (6010202, 'buildings__rooms__cooling__laboratories', 2, 'buildings_room', null),
  (6010203, 'buildings__rooms__cooling__archives', 2, 'buildings_room', null),
  (6010204, 'buildings__rooms__cooling__libraries', 2, 'buildings_room', null),
  (6010205, 'buildings__rooms__cooling__auditoriums', 2, 'buildings_room', null),
  (6010206, 'buildings__rooms__cooling__miscellaneous', 2, 'buildings_room', null),
  (60103, 'buildings__rooms__ventilation', 2, 'buildings_room', null),
  (6010301, 'buildings__rooms__ventilation__office', 2, 'buildings_room', null),
  (6010302, 'buildings__rooms__ventilation__laboratories', 2, 'buildings_room', null),
  (6010303, 'buildings__rooms__ventilation__archives', 2, 'buildings_room', null),
  (6010304, 'buildings__rooms__ventilation__libraries', 2, 'buildings_room', null),
  (6010305, 'buildings__rooms__ventilation__auditoriums', 2, 'buildings_room', null),
  (6010306, 'buildings__rooms__ventilation__miscellaneous', 2, 'buildings_room', null),
  (60104, 'buildings__rooms__heating_elec', 2, 'buildings_room', null),
  (6010401, 'buildings__rooms__heating_elec__office', 2, 'buildings_room', null),
  (6010402, 'buildings__rooms__heating_elec__laboratories', 2, 'buildings_room', null),
  (6010403, 'buildings__rooms__heating_elec__archives', 2, 'buildings_room', null),
  (6010404, 'buildings__rooms__heating_elec__libraries', 2, 'buildings_room', null),
  (6010405, 'buildings__rooms__heating_elec__auditoriums', 2, 'buildings_room', null),
  (6010406, 'buildings__rooms__heating_elec__miscellaneous', 2, 'buildings_room', null),
  (60105, 'buildings__rooms__heating_thermal', 1, 'buildings_energy_combustion', null),
  (6010501, 'buildings__rooms__heating_thermal__office', 1, 'buildings_energy_combustion', null),
  (6010502, 'buildings__rooms__heating_thermal__laboratories', 1, 'buildings_energy_combustion', null),
  (6010503, 'buildings__rooms__heating_thermal__archives', 1, 'buildings_energy_combustion', null),
  (6010504, 'buildings__rooms__heating_thermal__libraries', 1, 'buildings_energy_combustion', null),
  (6010505, 'buildings__rooms__heating_thermal__auditoriums', 1, 'buildings_energy_combustion', null),
  (6010506, 'buildings__rooms__heating_thermal__miscellaneous', 1, 'buildings_energy_combustion', null),
  (60200, 'buildings__combustion', 1, 'buildings_energy_combustion', null),
  (60201, 'buildings__combustion__natural_gas', 1, 'buildings_energy_combustion', null),
  (60202, 'buildings__combustion__heating_oil', 1, 'buildings_energy_combustion', null),
  (60203, 'buildings__combustion__biomethane', 1, 'buildings_energy_combustion', null),
  (60204, 'buildings__combustion__pellets', 1, 'buildings_energy_combustion', null),
  (60205, 'buildings__combustion__forest_chips', 1, 'buildings_energy_combustion', null),
  (60206, 'buildings__combustion__wood_logs', 1, 'buildings_energy_combustion', null),
  (60300, 'buildings__embodied_energy', 3, 'embodied_energy', null),
  (70000, 'process_emissions', null, null, null),
  (70100, 'process_emissions__ch4', 1, 'process_emissions', null),
  (70200, 'process_emissions__co2', 1, 'process_emissions', null),
  (70300, 'process_emissions__n2o', 1, 'process_emissions', null),
  (70400, 'process_emissions__refrigerants', 1, 'process_emissions', null),
  (80000, 'equipment', null, null, null),
  (80100, 'equipment__scientific', 2, 'equipment', null),
  (80200, 'equipment__it', 2, 'equipment', 'equipment_it'),
  (80300, 'equipment__other', 2, 'equipment', null),
  (90000, 'purchases', null, null, null),
  (90100, 'purchases__goods_and_services', 3, 'purchases', null),
  (90200, 'purchases__scientific_equipment', 3, 'purchases', null),
  (90300, 'purchases__it_equipment', 3, 'purchases', 'purchases_it'),
  (90400, 'purchases__consumable_accessories', 3, 'purchases', null),
  (90500, 'purchases__biological_chemical_gaseous', 3, 'purchases', null),
  (90600, 'purchases__services', 3, 'purchases', null),
  (90700, 'purchases__vehicles', 3, 'purchases', null),
  (90800, 'purchases__other', 3, 'purchases', null),
  (90900, 'purchases__additional', 1, 'purchases', null),
  (90901, 'purchases__additional__ln2', 1, 'purchases', null),
  (100000, 'research_facilities', null, null, 'research_facilities_it'),
  (100100, 'research_facilities__facilities', 3, 'research_facilities', 'research_facilities_it'),
  (100200, 'research_facilities__animal', 3, 'research_facilities', 'research_facilities_it'),
  (110000, 'external', null, null, null),
  (110100, 'external__clouds', null, null, null),
  (110101, 'external__clouds__virtualisation', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110102, 'external__clouds__calcul', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110103, 'external__clouds__stockage', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110200, 'external__ai', null, null, null),
  (110201, 'external__ai__provider_google', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110202, 'external__ai__provider_mistral_ai', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110203, 'external__ai__provider_anthropic', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110204, 'external__ai__provider_openai', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110205, 'external__ai__provider_cohere', 3, 'external_cloud_and_ai', 'external_cloud_and_ai'),
  (110206, 'external__ai__provider_others', 3, 'external_cloud_and_ai', 'external_cloud_and_ai')
)

insert into pgreprise.carbon_emission_type (
  emission_type_id, name, parent_id, is_leaf, module_type_id, scope, category, it_category, unit
)
select
  listed.emission_type_id,
  listed.name,
  parent.emission_type_id as parent_id,
  not exists (
    select from listed as other
    where starts_with(other.name, listed.name || '__')
  ) as is_leaf,
  case split_part(listed.name, '__', 1)
    when 'professional_travel' then 2
    when 'buildings' then 3
    when 'equipment' then 4
    when 'purchases' then 5
    when 'research_facilities' then 6
    when 'external' then 7
    when 'process_emissions' then 8
    else 1
  end as module_type_id,
  listed.scope,
  listed.category,
  listed.it_category,
  case split_part(listed.name, '__', 1)
    when 'commuting' then 'km'
    when 'professional_travel' then 'km'
    when 'food' then 'kg'
    when 'waste' then 'kg'
  end as unit
from listed
left join listed as parent
  on regexp_replace(listed.name, '__(?!.*__).*$', '') = parent.name and listed.name <> parent.name
order by listed.emission_type_id;

grant select on table pgreprise.carbon_emission_type to pgreprise_owner;
