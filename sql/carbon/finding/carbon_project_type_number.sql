-- carbon_project_type_number(report_type): the number that clients send for a report type; carbon_report_type has the
-- types. Null for a type that is none of them.
create or replace function pgreprise.carbon_project_type_number(report_type text)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select known.number
      from (values (0::bigint), (1), (2)) as known(number)
     where pgreprise.carbon_report_type(known.number) = carbon_project_type_number.report_type
  );
end;
$$;

comment on function pgreprise.carbon_project_type_number(text) is 'The number of a report type, or null.';
