-- report_cache_rows(cache_key, api_version, statuses): the economy cache rows of a report, found by the key that
-- economy_cache_key() made: id, version, status and start_time. Reruns, batches, undos, the deletion by hand and the
-- audits ask here.
-- A null api_version means every version, and null statuses mean every status.
create or replace function pgreprise.report_cache_rows(
  cache_key pgreprise.cache_key, api_version text default null, statuses text[] default null
)
returns table (reform_impact_id bigint, version text, status text, start_time timestamp)
language sql
stable
begin atomic
  select
    cached.reform_impact_id,
    cached.version,
    cached.status,
    cached.start_time
    from pgreprise.scope_cache_rows(report_cache_rows.cache_key, report_cache_rows.api_version) as cached
   where cached.is_of_report
     and (report_cache_rows.statuses is null or cached.status = any(report_cache_rows.statuses));
end;

comment on function pgreprise.report_cache_rows(pgreprise.cache_key, text, text[]) is
'The economy cache rows of a report, by their key.';
