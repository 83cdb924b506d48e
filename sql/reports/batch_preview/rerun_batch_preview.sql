-- rerun_batch_preview(filter): the reports that create_rerun_batch() would list with this filter now, counted by
-- country, report type, status and errcode. errcode is null for reports that the batch would rerun, and RR001 for ids
-- of the filter that do not exist. first_report_id is the smallest id that a row counts. Changes nothing and locks
-- nothing.
-- Raises RR015 for a filter that cannot be used, RR017 when the caller's token may not read.
create or replace function public.rerun_batch_preview(filter jsonb)
returns table (
  country_id text, report_type text, status text, errcode text, reports bigint, first_report_id bigint
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  listed_ids bigint[];
begin
  perform pgreprise.enter('reports:read');
  listed_ids := array(select pgreprise.batch_reports(rerun_batch_preview.filter));

  return query
    select linked.country_id, linked.report_type, linked.status, refused.errcode, count(*), min(listed.report_id)
      from unnest(own.listed_ids) as listed(report_id)
      left join pgreprise.linked_reports(own.listed_ids) as linked on linked.report_id = listed.report_id
     cross join lateral (
       select case when linked.report_id is null then 'RR001' else linked.errcode end as errcode
     ) as refused
     group by linked.country_id, linked.report_type, linked.status, refused.errcode
     order by refused.errcode nulls first, linked.country_id, linked.report_type, linked.status;
end;
$$;

comment on function public.rerun_batch_preview(jsonb) is
'The reports that a batch with this filter would list now, counted by country, type, status and errcode.';

grant execute on function public.rerun_batch_preview(jsonb) to pgreprise_reader, pgreprise_api, pgreprise_dba;
