-- carbon_module_type: the modules that every carbon report has. former_name is what older clients call one. Charts
-- group the entries of some modules into classes: class_field is the field of the class, label_field the one to show.
create table pgreprise.carbon_module_type (
  module_type_id integer not null,
  name text not null,
  former_name text,
  class_field text,
  label_field text,
  constraint carbon_module_type_pkey primary key (module_type_id),
  constraint carbon_module_type_name unique (name),
  constraint carbon_module_type_former_name unique (former_name),
  constraint carbon_module_type_classes check ((class_field is null) = (label_field is null))
);

comment on table pgreprise.carbon_module_type is 'The modules that every carbon report has.';

insert into pgreprise.carbon_module_type (module_type_id, name, former_name, class_field, label_field)
values
(1, 'headcount', null, null, null),
(2, 'professional_travel', null, 'cabin_class', 'cabin_class'),
(3, 'buildings', null, null, null),
(4, 'equipment', 'equipment_electric_consumption', 'equipment_class', 'equipment_class'),
(5, 'purchase', null, 'purchase_institutional_code', 'purchase_institutional_description'),
(6, 'research_facilities', null, null, null),
(7, 'external_cloud_and_ai', null, null, null),
(8, 'process_emissions', null, null, null);

grant select on table pgreprise.carbon_module_type to pgreprise_owner;
