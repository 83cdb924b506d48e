-- carbon_entry_field: the fields that people fill in, for each type of entries. These are facts of the carbon
-- calculator (EPFL-ENAC/co2-calculator, July 2026). kind is text, number, whole (a number) or date. A text may have a
-- list of choices, a number limits. changes_emissions says whether emissions are computed from the field. Values that
-- the calculator had until May 2026 are taken too: the class eco, and other words for how often AI is used.
create table pgreprise.carbon_entry_field (
  data_entry_type_id integer not null,
  name text not null,
  kind text not null,
  is_required boolean not null,
  choices text[],
  minimum double precision,
  maximum double precision,
  changes_emissions boolean not null,
  constraint carbon_entry_field_pkey primary key (data_entry_type_id, name),
  constraint carbon_entry_field_type foreign key (data_entry_type_id)
  references pgreprise.carbon_entry_type (data_entry_type_id),
  constraint carbon_entry_field_kind check (kind in ('text', 'number', 'whole', 'date'))
);

comment on table pgreprise.carbon_entry_field is 'The fields that people fill in, for each type of entries.';

insert into pgreprise.carbon_entry_field (
  data_entry_type_id, name, kind, is_required, choices, minimum, maximum, changes_emissions
)
select
  entry_type.id as data_entry_type_id,
  listed.name,
  listed.kind,
  listed.is_required,
  listed.choices,
  listed.minimum,
  listed.maximum,
  listed.changes_emissions
from (
  values
    -- The application resolves the factor; a caller that knows it may say it.
    (array[1, 2, 10, 11, 12, 20, 21, 30, 31, 32, 40, 41, 50, 60, 61, 62, 63, 64, 65, 66, 67, 70, 71],
      'primary_factor_id', 'whole', false, null::text[], 0::double precision, 2147483647::double precision, false),
    (array[1, 10, 11, 12, 60, 61, 62, 63, 64, 65, 66], 'name', 'text', true, null, null, null, false),
    (array[1], 'user_institutional_id', 'text', false, null, null, null, false),
    (array[1], 'fte', 'number', true, null, 0, 1, true),
    (array[1], 'sius_code', 'text', true, array['51', '52', '53', '54', '56', '57', '58', '59'], null, null, false),
    (array[1, 10, 11, 12, 20, 21, 30, 31, 40, 41, 50, 60, 61, 62, 63, 64, 65, 66, 67, 70, 71],
      'note', 'text', false, null, null, null, false),
    (array[2], 'fte', 'number', true, null, 0, null, true),
    (array[10, 11, 12], 'equipment_id', 'text', true, null, null, null, false),
    (array[10, 11, 12], 'equipment_class', 'text', true, null, null, null, true),
    (array[10, 11, 12], 'sub_class', 'text', false, null, null, null, true),
    (array[10, 11, 12], 'active_usage_hours_per_week', 'whole', false, null, 0, 168, true),
    (array[10, 11, 12], 'standby_usage_hours_per_week', 'whole', false, null, 0, 168, true),
    (array[20, 21], 'user_institutional_id', 'text', true, null, null, null, false),
    (array[20], 'origin_iata', 'text', true, null, null, null, true),
    (array[20], 'destination_iata', 'text', true, null, null, null, true),
    (array[20], 'cabin_class', 'text', true, array['first', 'business', 'economy', 'eco'], null, null, true),
    (array[20, 21], 'departure_date', 'date', false, null, null, null, false),
    (array[20, 21], 'number_of_trips', 'whole', false, null, 1, null, true),
    (array[21], 'origin_name', 'text', true, null, null, null, true),
    (array[21], 'destination_name', 'text', true, null, null, null, true),
    (array[21], 'origin_natural_key', 'text', false, null, null, null, true),
    (array[21], 'destination_natural_key', 'text', false, null, null, null, true),
    (array[21], 'origin_country_code', 'text', false, null, null, null, true),
    (array[21], 'destination_country_code', 'text', false, null, null, null, true),
    (array[21], 'cabin_class', 'text', true, array['first', 'second'], null, null, true),
    (array[30], 'building_name', 'text', true, null, null, null, true),
    (array[30, 32], 'room_name', 'text', true, null, null, null, true),
    (array[30], 'room_type', 'text', false,
      array['laboratories', 'office', 'archives', 'libraries', 'auditoriums', 'miscellaneous'], null, null, true),
    (array[30], 'room_allocation_ratio', 'number', false, null, 0, 1, true),
    (array[31, 67], 'name', 'text', true, null, null, null, true),
    (array[31], 'unit', 'text', false, null, null, null, true),
    (array[31, 50], 'quantity', 'number', true, null, 0, null, true),
    (array[40], 'service_type', 'text', true, null, null, null, true),
    (array[40, 41], 'provider', 'text', true, null, null, null, true),
    (array[40], 'spent_amount', 'number', true, null, 0, null, true),
    (array[40, 60, 61, 62, 63, 64, 65, 66], 'currency', 'text', false, array['chf', 'eur', 'usd'], null, null, true),
    (array[41], 'usage_type', 'text', true, null, null, null, true),
    (array[41], 'requests_per_user_per_day', 'text', true, null, null, null, true),
    (array[41], 'fte_count', 'number', true, null, 0.1, null, true),
    (array[50], 'category', 'text', true, null, null, null, true),
    (array[50], 'subcategory', 'text', false, null, null, null, true),
    (array[60, 61, 62, 63, 64, 65, 66], 'supplier', 'text', false, null, null, null, false),
    (array[60, 61, 62, 63, 64, 65, 66], 'quantity', 'number', false, null, 0, null, false),
    (array[60, 61, 62, 63, 64, 65, 66], 'total_spent_amount', 'number', true, null, 0, null, true),
    (array[60, 61, 62, 63, 64, 65, 66], 'purchase_institutional_code', 'text', true, null, null, null, true),
    (array[60, 61, 62, 63, 64, 65, 66], 'purchase_institutional_description', 'text', false, null, null, null, false),
    (array[60, 61, 62, 63, 64, 65, 66], 'purchase_additional_code', 'text', false, null, null, null, true),
    (array[67], 'unit', 'text', true, null, null, null, true),
    (array[67], 'annual_consumption', 'number', true, null, 0, null, true),
    (array[67], 'coef_to_kg', 'number', true, null, 0, null, true),
    (array[70, 71], 'researchfacility_id', 'text', true, null, null, null, true),
    (array[70, 71], 'researchfacility_name', 'text', true, null, null, null, true),
    (array[71], 'researchfacility_type', 'text', false, null, null, null, true),
    (array[70, 71], 'use', 'number', true, null, 0, null, true),
    (array[70, 71], 'use_unit', 'text', true, null, null, null, true)
) as listed (types, name, kind, is_required, choices, minimum, maximum, changes_emissions)
cross join lateral unnest(listed.types) as entry_type (id);

grant select on table pgreprise.carbon_entry_field to pgreprise_owner;
