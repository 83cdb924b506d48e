-- defect_row: a row of report_defects(): a report that cannot be rerun.
create type pgreprise.defect_row as (
  report_id bigint,
  country_id text,
  errcode text,
  message text,
  hint text
);
