-- carbon_emission_category: the categories of emissions, in the order in which charts show them. An additional category
-- is told beside the others: it is no part of the figures of its module's chart.
create table pgreprise.carbon_emission_category (
  category text not null,
  position integer not null,
  module_type_id integer not null,
  is_additional boolean not null,
  constraint carbon_emission_category_pkey primary key (category),
  constraint carbon_emission_category_position unique (position),
  constraint carbon_emission_category_module foreign key (module_type_id)
  references pgreprise.carbon_module_type (module_type_id)
);

comment on table pgreprise.carbon_emission_category is 'The categories of emissions, in the order of the charts.';

insert into pgreprise.carbon_emission_category (position, category, module_type_id, is_additional)
values
(1, 'process_emissions', 8, false),
(2, 'buildings_energy_combustion', 3, false),
(3, 'buildings_room', 3, false),
(4, 'equipment', 4, false),
(5, 'external_cloud_and_ai', 7, false),
(6, 'purchases', 5, false),
(7, 'research_facilities', 6, false),
(8, 'professional_travel', 2, false),
(9, 'commuting', 1, true),
(10, 'food', 1, true),
(11, 'waste', 1, true),
(12, 'embodied_energy', 3, true);

grant select on table pgreprise.carbon_emission_category to pgreprise_owner;
