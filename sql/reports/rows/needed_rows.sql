-- needed_rows(report_ids): the rows that a rerun of these reports locks: table, id and the report that needs it. place
-- is the place of the table in the order of locks; key_column is its key, and are_deleted says that a rerun deletes the
-- rows. Reports that do not exist, or cannot be rerun, are among them.
create or replace function pgreprise.needed_rows(report_ids bigint[])
returns table (
  place integer, table_name text, key_column text, are_deleted boolean, row_id bigint, report_id bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The number of reports is different each time, and so is the best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  linked pgreprise.linked_report[];
begin
  linked := array(
    select found_report from pgreprise.linked_reports(coalesce(needed_rows.report_ids, '{}')) as found_report
  );

  return query
    select 1, 'report_outputs', 'id', false, report.report_id, report.report_id
      from unnest(own.linked) as report
    union all
    select 2, 'simulations', 'id', false, used.simulation_id, report.report_id
      from unnest(own.linked) as report
     cross join lateral unnest(report.simulation_ids) as used(simulation_id)
    union all
    select 3, 'reform_impact', 'reform_impact_id', true, cached.reform_impact_id, report.report_id
      from unnest(own.linked) as report
     cross join lateral pgreprise.report_cache_rows(report.cache_key, report.economy_impact_version) as cached
     where report.errcode is null;
end;
$$;

comment on function pgreprise.needed_rows(bigint[]) is 'The rows that a rerun of these reports locks, in that order.';
