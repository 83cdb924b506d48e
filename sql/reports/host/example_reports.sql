-- example_reports(): one report of each type (household, geography) that can be rerun, the one with the smallest id,
-- to try things out with. Returns report_id, country_id and report_type; no row for a type without such a report.
-- Raises RR017 when the caller's token may not read.
create or replace function public.example_reports()
returns table (report_id bigint, country_id text, report_type text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  page        bigint[];
  last_id     bigint;
  example     record;
  found_types text[] := array[]::text[];
begin
  perform pgreprise.enter('reports:read');

  -- A page at a time, because the first reports are usually enough.
  while cardinality(found_types) < 2 loop
    page := array(
      select report.id::bigint
        from public.report_outputs as report
       where own.last_id is null or report.id > own.last_id
       order by report.id
       limit 1000
    );
    exit when cardinality(page) = 0;
    last_id := page[cardinality(page)];

    for example in
      select distinct on (linked.report_type) linked.report_id, linked.country_id, linked.report_type
        from pgreprise.linked_reports(own.page) as linked
       where linked.errcode is null and linked.report_type <> all (own.found_types)
       order by linked.report_type desc, linked.report_id
    loop
      found_types := found_types || example.report_type;
      report_id := example.report_id;
      country_id := example.country_id;
      report_type := example.report_type;
      return next;
    end loop;
  end loop;
end;
$$;

comment on function public.example_reports() is
'One report of each type that can be rerun, to try things out with.';

grant execute on function public.example_reports() to pgreprise_reader, pgreprise_api, pgreprise_dba;
