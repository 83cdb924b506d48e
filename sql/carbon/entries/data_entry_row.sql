-- data_entry_row: an entry as the routines return it. data has its fields, and primary_factor_id and kg_co2eq beside
-- them. status is 0 pending, 1 validated, 2 rejected.
create type pgreprise.data_entry_row as (
  id bigint,
  data_entry_type_id bigint,
  carbon_report_module_id bigint,
  status bigint,
  data jsonb
);
