-- insert_carbon_reports(unit_ids, project_ids, years, reference_years, last_updated): create carbon reports with all
-- their modules, which are not started. As the calculator leaves them, stats are the JSON value null, and last_updated
-- is null but for explore reports, whose age begins at once. Elements at the same position of the arrays make one
-- report. A report that exists does not change. All routines that create reports use this; it can create one report or
-- a hundred thousand. Does not check access. Returns the reports that were created.
-- Raises RC017, RC019, 55P03 when another caller is about to create one for too long.
create or replace function pgreprise.insert_carbon_reports(
  unit_ids bigint[], project_ids bigint[], years bigint[], reference_years bigint[],
  last_updated timestamptz default null
)
returns setof pgreprise.carbon_report_row
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  created_ids bigint[];
  kept_out    bigint;
  modules     bigint;
  taken_key   text;
begin
  with created as (
    insert into public.carbon_reports as report (
      unit_id, carbon_project_id, year, reference_year, last_updated, overall_status, stats
    )
    select wanted.unit_id, wanted.project_id, wanted.year, wanted.reference_year,
        pgreprise.epoch_seconds(insert_carbon_reports.last_updated), 0, 'null'
      from unnest(insert_carbon_reports.unit_ids, insert_carbon_reports.project_ids, insert_carbon_reports.years,
        insert_carbon_reports.reference_years) as wanted(unit_id, project_id, year, reference_year)
     order by wanted.project_id, wanted.year
    on conflict on constraint uq_carbon_reports_project_year do nothing
    returning report.id
  )

  select coalesce(array_agg(created.id::bigint), '{}') into created_ids from created;

  if cardinality(created_ids) < cardinality(insert_carbon_reports.years) and exists (
    select from pg_trigger as listed
     -- For each row, before an insert.
     where listed.tgrelid = 'public.carbon_reports'::regclass and listed.tgtype & 7 = 7
  ) then
    select count(*) into kept_out
      from unnest(insert_carbon_reports.project_ids, insert_carbon_reports.years) as wanted(project_id, year)
     where not exists (
       select from public.carbon_reports as report
        where report.carbon_project_id = wanted.project_id and report.year = wanted.year
     );
    perform pgreprise.require_all_written('carbon_reports', kept_out, 0);
  end if;

  insert into public.carbon_report_modules (carbon_report_id, module_type_id, status, stats)
  select created.id, module_type.module_type_id, 0, 'null'
    from unnest(created_ids) as created(id)
   cross join pgreprise.carbon_module_type as module_type
   order by created.id, module_type.module_type_id;
  get diagnostics modules = row_count;
  perform pgreprise.require_all_written('carbon_report_modules',
    cardinality(created_ids) * (select count(*) from pgreprise.carbon_module_type), modules);

  return query select stored.* from pgreprise.stored_carbon_reports(created_ids) as stored;
exception
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.refuse_taken_id(taken_key);
    raise;
  when lock_not_available then
    -- Another caller is about to create it.
    perform pgreprise.raise_lock_wait('carbon_reports', '{}');
end;
$$;

comment on function pgreprise.insert_carbon_reports(bigint[], bigint[], bigint[], bigint[], timestamptz) is
'Creates carbon reports with all their modules. Reports that exist do not change.';
