-- report_defects(): every report that cannot be rerun, and why: one row for each, by id. This is the audit to run
-- first. It reads all reports and changes nothing.
-- Raises RR017 when the caller's token may not read.
create or replace function public.report_defects()
returns table (report_id bigint, country_id text, errcode text, message text, hint text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');

  return query
    select linked.report_id, linked.country_id, linked.errcode, linked.message, linked.hint
      from pgreprise.linked_reports(can_be_rerun => false) as linked
     order by linked.report_id;
end;
$$;

comment on function public.report_defects() is 'Every report that cannot be rerun, and why.';

grant execute on function public.report_defects() to pgreprise_reader, pgreprise_api, pgreprise_dba;
