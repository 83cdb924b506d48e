-- pending_index: how many pages of 8 kB the index of pending reports has to read until its first one. Dead entries at
-- its head, of reports that were finished, make each claim slower until a vacuum removes them. The doctor asks it.
explain (analyze, buffers, timing off, summary off, format json)
select
  report.country_id,
  report.id
from public.report_outputs as report
where report.status = 'pending'
order by report.country_id, report.id
limit 1;
