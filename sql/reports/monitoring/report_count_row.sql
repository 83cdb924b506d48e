-- report_count_row: a row of report_counts(): how many reports of a country have a status.
create type pgreprise.report_count_row as (
  country_id text,
  status text,
  reports bigint,
  oldest_since timestamptz
);
