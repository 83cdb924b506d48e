-- carbon_entry_type: the types of entries that each module has. These are facts of the carbon calculator
-- (EPFL-ENAC/co2-calculator, July 2026).
create table pgreprise.carbon_entry_type (
  data_entry_type_id integer not null,
  module_type_id integer not null,
  name text not null,
  constraint carbon_entry_type_pkey primary key (data_entry_type_id),
  constraint carbon_entry_type_name unique (name),
  constraint carbon_entry_type_module foreign key (module_type_id)
  references pgreprise.carbon_module_type (module_type_id)
);

comment on table pgreprise.carbon_entry_type is 'The types of entries that each module has.';

insert into pgreprise.carbon_entry_type (data_entry_type_id, module_type_id, name)
values
(1, 1, 'member'),
(2, 1, 'student'),
(10, 4, 'scientific'),
(11, 4, 'it'),
(12, 4, 'other'),
(20, 2, 'plane'),
(21, 2, 'train'),
(30, 3, 'building'),
(31, 3, 'energy_combustion'),
(32, 3, 'building_embodied_energy'),
(40, 7, 'external_clouds'),
(41, 7, 'external_ai'),
(50, 8, 'process_emissions'),
(60, 5, 'scientific_equipment'),
(61, 5, 'it_equipment'),
(62, 5, 'consumable_accessories'),
(63, 5, 'biological_chemical_gaseous_product'),
(64, 5, 'services'),
(65, 5, 'vehicles'),
(66, 5, 'other_purchases'),
(67, 5, 'additional_purchases'),
(70, 6, 'research_facilities'),
(71, 6, 'mice_and_fish_animal_facilities');

grant select on table pgreprise.carbon_entry_type to pgreprise_owner;
