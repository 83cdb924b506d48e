-- failed_cache_rows(): economy cache rows of reports that hold no result: rows of status error, and rows of status ok
-- with an empty result. The application answers a request for such a row with status ok and nothing in it, so the
-- report never gets a result until its row is deleted; a rerun deletes it. One row for each report and cache row.
-- Changes nothing.
-- Raises RR017 when the caller's token may not read.
create or replace function public.failed_cache_rows()
returns table (
  report_id bigint, country_id text, reform_impact_id bigint, status text, message text, start_time timestamp
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');

  return query
    select linked.report_id, linked.country_id, cached.reform_impact_id, cached.status, impact.message::text,
        cached.start_time
      from pgreprise.linked_reports(can_be_rerun => true) as linked
     cross join lateral pgreprise.report_cache_rows(linked.cache_key, linked.economy_impact_version) as cached
      join public.reform_impact as impact on impact.reform_impact_id = cached.reform_impact_id
     where linked.report_type = 'geography'
       and (
         cached.status = 'error'
         -- The size tells it of long results without reading them.
         or (cached.status = 'ok' and pg_column_size(impact.reform_impact_json) < 30
           and translate(impact.reform_impact_json::text, E' \t\r\n', '') in ('{}', '[]', 'null', '""'))
       )
     order by linked.report_id, cached.reform_impact_id;
end;
$$;

comment on function public.failed_cache_rows() is 'Economy cache rows of reports that hold no result.';

grant execute on function public.failed_cache_rows() to pgreprise_reader, pgreprise_api, pgreprise_dba;
