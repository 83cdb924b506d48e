-- carbon_entry_type: the types of entries that each module has. rollup_type_id is the type of the emission that sums
-- the others of an entry (is_rollup), for people and rooms. These are facts of the carbon calculator
-- (EPFL-ENAC/co2-calculator, July 2026).
create table pgreprise.carbon_entry_type (
  data_entry_type_id integer not null,
  module_type_id integer not null,
  name text not null,
  rollup_type_id integer,
  constraint carbon_entry_type_pkey primary key (data_entry_type_id),
  constraint carbon_entry_type_name unique (name),
  constraint carbon_entry_type_module foreign key (module_type_id)
  references pgreprise.carbon_module_type (module_type_id),
  constraint carbon_entry_type_rollup foreign key (rollup_type_id)
  references pgreprise.carbon_emission_type (emission_type_id)
);

comment on table pgreprise.carbon_entry_type is 'The types of entries that each module has.';

insert into pgreprise.carbon_entry_type (data_entry_type_id, module_type_id, name, rollup_type_id)
values
(1, 1, 'member', 40000),
(2, 1, 'student', 40000),
(10, 4, 'scientific', null),
(11, 4, 'it', null),
(12, 4, 'other', null),
(20, 2, 'plane', null),
(21, 2, 'train', null),
(30, 3, 'building', 60100),
(31, 3, 'energy_combustion', null),
(32, 3, 'building_embodied_energy', null),
(40, 7, 'external_clouds', null),
(41, 7, 'external_ai', null),
(50, 8, 'process_emissions', null),
(60, 5, 'scientific_equipment', null),
(61, 5, 'it_equipment', null),
(62, 5, 'consumable_accessories', null),
(63, 5, 'biological_chemical_gaseous_product', null),
(64, 5, 'services', null),
(65, 5, 'vehicles', null),
(66, 5, 'other_purchases', null),
(67, 5, 'additional_purchases', null),
(70, 6, 'research_facilities', null),
(71, 6, 'mice_and_fish_animal_facilities', null);

grant select on table pgreprise.carbon_entry_type to pgreprise_owner;
