-- batch_mark(): where the acts and the reports end now, for the token of the preview of a batch: what is newer when a
-- refusal is explained has come since. It decides nothing.
-- Returns {"act": the last rerun_id, "report": the last id of a report}; 0 where there is none.
create or replace function pgreprise.batch_mark()
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_build_object(
    'act', (select coalesce(max(act.rerun_id), 0) from pgreprise.rerun as act),
    'report', (select coalesce(max(report.id), 0) from public.report_outputs as report)
  );
end;
$$;

comment on function pgreprise.batch_mark() is 'Where the acts and the reports end now.';
