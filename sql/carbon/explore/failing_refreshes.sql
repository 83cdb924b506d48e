-- failing_refreshes: stale explore reports whose refresh failed more than once. A query for the doctor.
select
  failed.report_id,
  report.unit_id,
  failed.failures,
  failed.first_failed_at,
  failed.last_failed_at,
  failed.message
from pgreprise.failed_refresh as failed
inner join public.carbon_reports as report on failed.report_id = report.id
where failed.failures > 1 and pgreprise.explore_report_is_stale(report.last_updated, now())
order by failed.failures desc, failed.report_id asc;
