-- rerun_reports(report_ids, reason, result): as on a server, where all reports are on one.
-- Raises what it raises there, 2D000 inside a transaction block, RR035 when the server cannot be reached, RR036 where
-- the reports are on several servers.
create or replace procedure public.rerun_reports(
  report_ids bigint[], reason text default null, inout result jsonb default null
)
language plpgsql
as $$
declare
  -- The claims end with the transaction that the refusal of a transaction block ends.
  earlier constant jsonb := pgreprise.caller();
begin
  call pgreprise.refuse_transaction_block();
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  result := pgreprise.routed_rerun_reports(earlier, rerun_reports.report_ids, rerun_reports.reason);
end;
$$;
