-- defect_counts(): how many reports cannot be rerun, by the reason: one row for each SQLSTATE, with the smallest id of
-- its reports as an example. It reads all reports once and changes nothing; report_defects() lists them.
-- Raises RR017 when the caller's token may not read.
create or replace function public.defect_counts()
returns table (errcode text, reports bigint, example_report_id bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');

  return query
    select linked.errcode, count(*), min(linked.report_id)
      from pgreprise.linked_reports(can_be_rerun => false) as linked
     group by linked.errcode
     order by linked.errcode;
end;
$$;

comment on function public.defect_counts() is 'How many reports cannot be rerun, by the reason.';

grant execute on function public.defect_counts() to pgreprise_reader, pgreprise_api, pgreprise_dba;
