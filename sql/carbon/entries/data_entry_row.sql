-- data_entry_row: an entry as the routines return it, with its emissions as a JSON array.
create type pgreprise.data_entry_row as (
  id bigint,
  carbon_report_module_id bigint,
  data_entry_type_id bigint,
  data jsonb,
  emissions jsonb
);
