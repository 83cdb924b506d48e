-- pending_reports(country_id, after_report_id, max_rows): the next pending reports after an id, in the order of ids,
-- with what looks_free() needs to know of each. It locks nothing. Without a country it looks into the index of each
-- country that has pending reports.
-- The index of pending reports is the only one in the order of country and id. Ordered by the id alone, a table in
-- which almost everything was pending when it was last analyzed would be read by its primary key, past all reports that
-- were finished since.
create or replace function pgreprise.pending_reports(country_id text, after_report_id bigint, max_rows integer)
returns table (report_id bigint, run_sequence integer, simulation_1_id bigint, simulation_2_id bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- A table in which everything is finished, or nothing, must not lead to a plan that reads all of it.
set enable_seqscan = 'off'
set enable_bitmapscan = 'off'
set enable_sort = 'off'
set jit = 'off'
set plan_cache_mode = 'force_generic_plan'
as $$
begin
  return query
    with recursive waiting as (
      select coalesce(pending_reports.country_id, (
          select report.country_id
            from public.report_outputs as report
           where report.status = 'pending'
           order by report.country_id
           limit 1
        )) as country_id
      union all
      select (
          select report.country_id
            from public.report_outputs as report
           where report.status = 'pending' and report.country_id > waiting.country_id
           order by report.country_id
           limit 1
        )
        from waiting
       where waiting.country_id is not null and pending_reports.country_id is null
    )

    select next_report.id::bigint, next_report.run_sequence, next_report.simulation_1_id::bigint,
        next_report.simulation_2_id::bigint
      from waiting
     cross join lateral (
       select report.id, report.country_id, report.run_sequence, report.simulation_1_id, report.simulation_2_id
         from public.report_outputs as report
        where report.status = 'pending'
          and (report.country_id, report.id) > (waiting.country_id, pending_reports.after_report_id)
        order by report.country_id, report.id
        limit pending_reports.max_rows
     ) as next_report
     where next_report.country_id = waiting.country_id
     order by next_report.id
     limit pending_reports.max_rows;
end;
$$;

comment on function pgreprise.pending_reports(text, bigint, integer) is
'The next pending reports after an id.';
