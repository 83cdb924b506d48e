-- carbon_validated_fte(report_id): the FTE of the validated modules of a carbon report, by which charts divide. Unlike
-- the totals, it is 0 for an explore report, as the carbon calculator has it.
create or replace function pgreprise.carbon_validated_fte(report_id bigint)
returns double precision
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(sum(entered.fte), 0)
      from pgreprise.carbon_entry_sums(carbon_validated_fte.report_id) as entered
     where entered.status = 2
  );
end;
$$;

comment on function pgreprise.carbon_validated_fte(bigint) is 'The FTE of the validated modules of a carbon report.';
