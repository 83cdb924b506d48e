-- carbon_module_row: a module of a carbon report as the routines return it.
create type pgreprise.carbon_module_row as (
  id bigint,
  carbon_report_id bigint,
  module_type_id bigint,
  status bigint,
  stats jsonb
);
