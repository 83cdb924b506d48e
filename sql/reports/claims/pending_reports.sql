-- pending_reports(country_id, report_type, after_report_id, max_rows, as_of): the next pending reports after an id, in
-- the order of ids, and of each whether it looks as if it could be claimed: of the type that is wanted, not waiting for
-- a retry, and no other worker computes one of its simulations. It locks nothing. Without a country it looks into the
-- index of each country that has pending reports.
create or replace function pgreprise.pending_reports(
  country_id text, report_type text, after_report_id bigint, max_rows integer, as_of timestamptz
)
returns table (report_id bigint, looks_free boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- A table in which everything is finished, or nothing, must not lead to a plan that reads all of it.
set enable_seqscan = 'off'
set enable_bitmapscan = 'off'
set enable_sort = 'off'
set jit = 'off'
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

    select found_row.id::bigint, pgreprise.looks_free(found_row.id, found_row.run_sequence,
        found_row.simulation_1_id, found_row.simulation_2_id, pending_reports.report_type, pending_reports.as_of)
      from (
        select next_report.*
          from waiting
         cross join lateral (
           select report.id, report.run_sequence, report.simulation_1_id, report.simulation_2_id
             from public.report_outputs as report
            where report.status = 'pending'
              and report.country_id = waiting.country_id
              and report.id > pending_reports.after_report_id
            order by report.id
            limit pending_reports.max_rows
         ) as next_report
         order by next_report.id
         limit pending_reports.max_rows
      ) as found_row
     order by found_row.id;
end;
$$;

comment on function pgreprise.pending_reports(text, text, bigint, integer, timestamptz) is
'The next pending reports after an id, and whether each looks as if it could be claimed.';
