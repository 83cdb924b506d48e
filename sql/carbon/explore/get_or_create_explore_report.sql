-- get_or_create_explore_report(unit_id, reference_year, as_of): the unit's explore report of a reference year, which is
-- created when there is none. A report that exists does not change: a stale one is returned as it is, as
-- get_explore_report does. A unit has one report of a year, whatever the isolation level (at repeatable read and
-- serializable after a 40001 and a retry).
-- Returns (stored, is_stale, is_new).
-- Raises RR017, RC001, RC002, RC008 for a number that is not a year, and 40001 when the report is replaced three times.
create or replace function public.get_or_create_explore_report(
  unit_id bigint, reference_year bigint, as_of timestamptz default now()
)
returns table (stored pgreprise.carbon_report_row, is_stale boolean, is_new boolean)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:write');
  perform public.require_unit_access(get_or_create_explore_report.unit_id, 'edit');
  perform pgreprise.require_carbon_year(get_or_create_explore_report.reference_year);

  for attempt in 1..3 loop
    return query
      select found.stored, found.is_stale, false
        from pgreprise.stored_explore_report(get_or_create_explore_report.unit_id,
          get_or_create_explore_report.reference_year, get_or_create_explore_report.as_of) as found;
    if found then
      return;
    end if;

    -- Somebody else may create it at this moment. Then nothing is inserted, and the next attempt finds that one.
    return query
      select created, false, true
        from pgreprise.ensure_carbon_projects(array[get_or_create_explore_report.unit_id], 'Simulator_Explore')
          as ensured
       cross join lateral pgreprise.insert_carbon_reports(array[ensured.unit_id], array[ensured.carbon_project_id],
         array[get_or_create_explore_report.reference_year], array[null::bigint],
         get_or_create_explore_report.as_of) as created;
    if found then
      return;
    end if;
  end loop;

  raise exception using
    errcode = 'serialization_failure',
    message = 'The explore report was replaced while this transaction waited for it.',
    hint = 'Try again.';
end;
$$;

comment on function public.get_or_create_explore_report(bigint, bigint, timestamptz) is
'A unit''s explore report of a reference year, which is created when there is none.';

grant execute on function public.get_or_create_explore_report(bigint, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
