-- requested_dataset(report_id): the dataset that the specification of a report names, or null. linked_reports() asks
-- the same for many reports.
create or replace function pgreprise.requested_dataset(report_id bigint)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
-- The table of an older application has no column report_spec_json. Then the name means the variable, which is null.
#variable_conflict use_column
declare
  report_spec_json constant json := null;
begin
  return (
    select report_spec_json ->> 'dataset'
      from public.report_outputs as report
     where report.id = requested_dataset.report_id
  );
end;
$$;

comment on function pgreprise.requested_dataset(bigint) is 'The dataset that the specification of a report names.';
