-- carbon_setting: what the carbon calculator has in its configuration, in one row. co2_per_km_kg is what a car emits in
-- one kilometre; set_co2_per_km changes it.
create table pgreprise.carbon_setting (
  only_row boolean not null default true,
  co2_per_km_kg double precision not null default 0.2996,
  constraint carbon_setting_pkey primary key (only_row),
  constraint carbon_setting_only_row_check check (only_row),
  constraint carbon_setting_co2_per_km_kg_check check (co2_per_km_kg > 0 and co2_per_km_kg < 'infinity')
);

comment on table pgreprise.carbon_setting is 'The settings of the carbon domain in this database, in one row.';
comment on column pgreprise.carbon_setting.co2_per_km_kg is 'what a car emits in one kilometre, in kilograms';

insert into pgreprise.carbon_setting default values;

grant select, update on table pgreprise.carbon_setting to pgreprise_owner;
