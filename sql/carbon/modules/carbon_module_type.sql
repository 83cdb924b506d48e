-- carbon_module_type: the modules that every carbon report has. former_name is what older clients call one.
create table pgreprise.carbon_module_type (
  module_type_id integer not null,
  name text not null,
  former_name text,
  constraint carbon_module_type_pkey primary key (module_type_id),
  constraint carbon_module_type_name unique (name),
  constraint carbon_module_type_former_name unique (former_name)
);

comment on table pgreprise.carbon_module_type is 'The modules that every carbon report has.';

insert into pgreprise.carbon_module_type (module_type_id, name, former_name)
values
(1, 'headcount', null),
(2, 'professional_travel', null),
(3, 'buildings', null),
(4, 'equipment', 'equipment_electric_consumption'),
(5, 'purchase', null),
(6, 'research_facilities', null),
(7, 'external_cloud_and_ai', null),
(8, 'process_emissions', null);

grant select on table pgreprise.carbon_module_type to pgreprise_owner;
