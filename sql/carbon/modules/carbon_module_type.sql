-- carbon_module_type: the modules that every carbon report has.
create table pgreprise.carbon_module_type (
  module_type_id integer not null,
  name text not null,
  constraint carbon_module_type_pkey primary key (module_type_id),
  constraint carbon_module_type_name unique (name)
);

comment on table pgreprise.carbon_module_type is 'The modules that every carbon report has.';

insert into pgreprise.carbon_module_type (module_type_id, name)
values
(1, 'headcount'),
(2, 'professional_travel'),
(3, 'buildings'),
(4, 'equipment'),
(5, 'purchase'),
(6, 'research_facilities'),
(7, 'external_cloud_and_ai'),
(8, 'process_emissions');

grant select on table pgreprise.carbon_module_type to pgreprise_owner;
